"""Popularity: what is ordered most, as a row of its own that claims nothing else.

Whose orders are counted is a segment, and named; where a segment has too few orders the next wider one speaks.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stream.decisions.neighbours import NOBODY, POPULAR, NeighbourRow, packed
from stream.decisions.policy import Policy
from stream.decisions.scorers import FILL, Scorer, popular_weights

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ALL: Final = "all customers"
"""The widest segment."""


def may_speak(scorer: Scorer, policy: Policy, measured: bool) -> bool:
    """Whether what is ordered most is a reason at all, under a scorer that was `measured` to serve best, or was not.

    The policy's `fallback` decides: `measured` wants popularity to have a say in a scorer that won on this shop's
    orders; that it merely comes after everything else is no such say.
    """
    if policy.fallback == "measured":
        return measured and scorer.popular > FILL
    return policy.fallback == "popular"


def popular_row(
    scorer: Scorer,
    items: Integers,
    orders: Integers,
    total: int,
    about: str = ALL,
    boosts: Floats | float = 1.0,
    of_total: int | None = None,
) -> NeighbourRow:
    """The row of a segment: `orders` of its `total` orders held each of the items (dense indices).

    `of_total` are the orders of the shop where the segment's are not: weights have to be comparable.
    """
    shop = total if of_total is None else of_total
    scaled = orders if shop == total else np.rint(orders * (shop / total)).astype(np.int64)
    weights = popular_weights(scorer, scaled, shop, boosts)
    elements = packed(items, weights, orders)
    return NeighbourRow(NOBODY, elements, orders=total, source=POPULAR, about=about)
