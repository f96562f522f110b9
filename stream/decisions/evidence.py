"""Which line of a basket speaks loudest for each offer, found for all offers of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream.decisions.neighbours import FRACTION
from stream.decisions.scoring import Integers, Scored

SILENT = -1
"""In the place of a row's number: no row of that sort holds the item."""

_UNHEARD = np.iinfo(np.int64).min


class Evidence(NamedTuple):
    """For each pick in order: the number of the learned row that weighs it most and the orders that held
    both, and the number of the named row that weighs it most and that weight."""

    learned: list[int]
    together: list[int]
    named: list[int]
    weight: list[float]


def evidence(scored: Scored, candidates: Sequence[int]) -> Evidence:
    """The evidence for picked candidates of `scored`.

    Of rows that weigh an item the same, the first one (by SKU) speaks.
    """
    if not candidates:
        return Evidence([], [], [], [])
    picked = np.array(candidates)
    lengths = scored.starts[picked + 1] - scored.starts[picked]
    ends = np.cumsum(lengths)
    pick = np.repeat(np.arange(len(picked)), lengths)
    starts = ends - lengths
    elements = scored.elements[np.arange(ends[-1]) + (scored.starts[picked] - starts)[pick]]
    rows = np.searchsorted(scored.row_bounds, elements, side="right") - 1
    weights = scored.weights[elements]
    if not scored.any_named:
        loudest = _loudest(weights, starts, pick)
        nobody, nothing = [SILENT] * len(picked), [0.0] * len(picked)
        return Evidence(rows[loudest].tolist(), scored.counts[elements[loudest]].tolist(), nobody, nothing)
    named = np.array([row.named for row in scored.rows])[rows]
    by_orders = _loudest(np.where(named, _UNHEARD, weights), starts, pick)
    by_name = _loudest(np.where(named, weights, _UNHEARD), starts, pick)
    return Evidence(
        np.where(by_orders < 0, SILENT, rows[by_orders]).tolist(),
        scored.counts[elements[by_orders]].tolist(),
        np.where(by_name < 0, SILENT, rows[by_name]).tolist(),
        (weights[by_name] / FRACTION).tolist(),
    )


def _loudest(weights: Integers, starts: Integers, pick: Integers) -> Integers:
    """For each pick the first of its places with the largest weight, -1 where none has any."""
    most = np.maximum.reduceat(weights, starts)
    at = np.flatnonzero((weights == most[pick]) & (weights > _UNHEARD))
    loudest = np.full(len(starts), SILENT)
    loudest[pick[at[::-1]]] = at[::-1]  # written from the back, so that the first one stays
    return loudest
