"""Keeps the complements of lines: what the catalogue, or the policy, names as going with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stream.decisions.complements import Complements
from stream.decisions.policy import Policy
from stream.tables.view_cache import Items, ViewCache


class ComplementReader:
    """Names complements of one policy; what no product changed for is not named again."""

    def __init__(self, policy: Policy) -> None:
        self._complements = Complements(policy)
        self._asked_at = 0

    def companions(self, cache: ViewCache, lines: Items) -> Items:
        """The complements of lines by dense index, which has to be read before they are named."""
        # What changes while they are read has these lines looked at once more.
        self._asked_at = cache.products_changed
        for line in cache.unnamed(lines):
            skus = self._complements.of(cache.skus[line], cache.assortment.products[line])
            cache.companions[line] = cache.number(skus)
        return np.array([item for line in lines.tolist() for item in cache.companions[line]], np.int64)

    def name(self, cache: ViewCache, lines: Sequence[int], boost: Callable[[int], float]) -> None:
        """Make the rows of lines; `boost` tells the policy's factor of a dense index."""
        for line in lines:
            product = cache.assortment.products[line]
            row = self._complements.row(cache.skus[line], product, cache.index, boost)
            if row is None:
                cache.named.pop(line, None)
            else:
                cache.named[line] = row
        cache.named_at(lines, self._asked_at)
