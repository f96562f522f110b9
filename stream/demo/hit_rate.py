"""Hit rate: how often the next thing put into a basket had just been suggested for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple


class Hits(NamedTuple):
    """So many of the lines added to baskets that had a suggestion stood in it."""

    hits: int
    lines: int

    @property
    def rate(self) -> float:
        """Share of hits; 0 where no line could be one."""
        return self.hits / self.lines if self.lines else 0.0


def hits_of(added: Sequence[str], offered: Mapping[int, Collection[str]]) -> Hits:
    """The hits of one basket: `added` are its SKUs as added, `offered[n]` what was suggested for the first n.

    The first line has no suggestion before it and does not count. A SKU added again counts as a miss, for
    nothing that is in the basket is ever suggested.

    >>> hits_of(["bread", "butter", "jam"], {1: {"butter", "milk"}, 2: {"milk"}})
    Hits(hits=1, lines=2)
    """
    return Hits(sum(sku in offered.get(n, ()) for n, sku in enumerate(added[1:], 1)), max(0, len(added) - 1))
