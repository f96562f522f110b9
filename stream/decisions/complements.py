"""Complements that the catalogue names.

Precedence: a named complement scores its weight x `policy.complement_score` for each line that names it, on
top of what the orders taught. At the default it therefore stands before what was only learned, since learned
scores rarely reach 1; a shop that wants its catalogue to weigh less lowers the weights. Without a catalogue
there are no such rows, and the orders alone decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from stream.decisions.model import Product
from stream.decisions.neighbours import NeighbourRow, named_row
from stream.decisions.policy import Policy


def complement_row(product: Product, index: Mapping[str, int], policy: Policy) -> NeighbourRow:
    """The row of the complements this product names; those without a dense index cannot be offered."""
    weights: dict[int, float] = {}
    for sku, weight in product.complements:
        if sku in index and sku != product.sku:  # named twice counts once, at the larger weight
            weights[index[sku]] = max(weight * policy.complement_score, weights.get(index[sku], 0.0))
    return named_row(index[product.sku], weights)
