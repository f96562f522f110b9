"""What upsells take the ground from: candidates that the lines they replace alone spoke for."""

from __future__ import annotations

from typing import Final

from stream.decisions.candidates import Considered
from stream.decisions.codes import SUPERSEDED_BY_UPSELL
from stream.decisions.neighbours import ORDERS, item_of, weight_of
from stream.decisions.scoring import Integers
from stream.decisions.views import Views
from stream.suggestion import Suppressed

SUPERSEDED_KEPT: Final = 3
"""Candidates of a basket's replaced lines that are reported as superseded."""


def superseded(considered: Considered, candidates: Integers, views: Views) -> list[Suppressed]:
    """The best of what replaced lines spoke for that is no candidate of the basket that results, nor in it; of equal
    ones the first by SKU. `candidates` are the dense indices of those of the basket that results, rising."""
    chosen, lines, skus = considered.upsells.chosen, views.lines, views.skus
    offered = {up.offered.sku for up in chosen}
    lost: dict[int, int] = {}
    for up in chosen:
        held = lines[up.held.sku]
        for row in (held.learned, *held.others):
            if row is None or row.source < ORDERS:
                continue
            terms = _without(row.terms, candidates)
            for item, weight in zip(item_of(terms).tolist(), weight_of(terms).tolist(), strict=True):
                if item not in considered.cart:
                    lost[item] = lost.get(item, 0) + weight
    # The SKU is asked only of those that may be told: a basket loses dozens.
    least = max([1, *sorted(lost.values())[-SUPERSEDED_KEPT - len(offered) :][:1]])
    best = sorted((-weight, skus[item]) for item, weight in lost.items() if weight >= least)
    told = [sku for _, sku in best if sku not in offered]
    return [Suppressed(sku, SUPERSEDED_BY_UPSELL) for sku in told[:SUPERSEDED_KEPT]]


def _without(terms: Integers, items: Integers) -> Integers:
    """The terms that are of none of these items, which rise."""
    if not len(items):
        return terms
    of = item_of(terms)
    left: Integers = terms[items.take(items.searchsorted(of), mode="clip") != of]
    return left
