"""The rhythm a customer buys a product in: from it follows when the product is due again.

Goods that last have none: a rhythm needs three purchases at like distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from stream.decisions.policy import Policy

FEWEST_TIMES: Final = 3
"""Purchases, in panes of their own, from which there is a rhythm: two distances to compare."""

ALIKE: Final = 0.5
"""Distances are alike that differ from the median by at most this share of it."""


class Rhythm(Struct, frozen=True, gc=False):
    """The product with dense index `item` was bought `times` times, every `every_ms` in the median, last at `last_ms`.

    Moments are the beginnings of panes.
    """

    item: int
    times: int
    every_ms: int
    last_ms: int

    def is_due(self, at_ms: int, policy: Policy) -> bool:
        """Whether to offer it: a little before it is expected, until that is clearly over."""
        since = at_ms - self.last_ms
        return policy.buy_again_from * self.every_ms <= since <= policy.buy_again_until * self.every_ms


def rhythm_of(item: int, panes: Sequence[int], pane_ms: int) -> Rhythm | None:
    """The rhythm of purchases in these panes, given in rising order; None where there is none.

    Purchases of one pane are one. At least half of the distances have to be like the median.

    >>> rhythm_of(7, [0, 20, 20, 41], 1000)
    Rhythm(item=7, times=3, every_ms=20500, last_ms=41000)
    >>> rhythm_of(7, [0, 1, 100], 1000), rhythm_of(7, [0, 20], 1000)
    (None, None)
    """
    distinct = list(dict.fromkeys(panes))
    if len(distinct) < FEWEST_TIMES:
        return None
    distances = sorted(later - earlier for earlier, later in pairwise(distinct))
    # Twice the median, so that it is a whole number.
    twice = distances[(len(distances) - 1) // 2] + distances[len(distances) // 2]
    alike = sum(abs(2 * distance - twice) <= ALIKE * twice for distance in distances)
    if 2 * alike < len(distances):
        return None
    return Rhythm(item, len(distinct), twice * pane_ms // 2, distinct[-1] * pane_ms)
