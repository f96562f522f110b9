"""Complements that the catalogue names, and those that the shop's policy names by hand.

Precedence: what the policy says of two SKUs takes the place of what the catalogue says. A named complement
scores its weight x `policy.complement_score` for each line that names it, on top of what the orders taught. At
the default it therefore stands before what was only learned, since learned scores rarely reach 1; a shop that
wants its catalogue to weigh less lowers the weights. Without a catalogue there are no such rows, and the
orders alone decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stream.decisions.model import Product
from stream.decisions.neighbours import CATALOGUE, NeighbourRow, told_row
from stream.decisions.policy import Policy


class Complements:
    """What is named as going with a SKU: by the policy's hand, else by the catalogue."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._by_hand: dict[str, dict[str, float]] = {}
        for entry in policy.complements:
            self._by_hand.setdefault(entry.of, {})[entry.sku] = entry.weight

    def of(self, sku: str, product: Product | None) -> dict[str, float]:
        """Weights of the complements of a SKU; never itself. Named twice counts once, at the larger weight."""
        weights: dict[str, float] = {}
        for other, weight in () if product is None else product.complements:
            weights[other] = max(weight, weights.get(other, 0.0))
        weights |= self._by_hand.get(sku, {})
        weights.pop(sku, None)
        return weights

    def row(
        self,
        sku: str,
        product: Product | None,
        index: Mapping[str, int],
        boost: Callable[[int], float],
    ) -> NeighbourRow | None:
        """The row of a SKU's complements, None without any; those without a dense index cannot be offered.

        `boost` tells the policy's factor of a dense index.
        """
        named = self.of(sku, product)
        if not named:
            return None
        score, known = self._policy.complement_score, [other for other in named if other in index]
        weights = {index[other]: named[other] * score * boost(index[other]) for other in known}
        return told_row(CATALOGUE, index[sku], weights)
