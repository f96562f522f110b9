"""Which line of a basket speaks loudest for each offer, found for all offers of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.scoring import Floats, Scored

Integers = npt.NDArray[np.integer[Any]]

SILENT = -1
"""In the place of a row's number: no row of that sort holds the item."""


class Evidence(NamedTuple):
    """For each pick in order: the number of the learned row that weighs it most and the orders that held
    both, and the number of the named row that weighs it most and that weight."""

    learned: list[int]
    together: list[int]
    named: list[int]
    weight: list[float]


def evidence(scored: Scored, items: Sequence[int], picks: Sequence[int]) -> Evidence:
    """The evidence for picked items: the first `picks[0]` are of the first basket of `scored`, and so on.

    Of rows that weigh an item the same, the first one (by SKU) speaks.
    """
    if not items:
        return Evidence([], [], [], [])
    lengths = np.repeat(np.diff(scored.row_bounds), picks)
    starts = np.cumsum(lengths) - lengths
    # One question for each row of a pick's basket: where does it hold the item? Rows are sorted, so all
    # (row, item) together are, too.
    pick = np.repeat(np.arange(len(items)), lengths)
    row = np.arange(len(pick)) + (np.repeat(scored.row_bounds[:-1], picks) - starts)[pick]
    held = np.repeat(np.arange(len(scored.rows)) << 32, np.diff(scored.key_bounds)) + scored.keys
    asked = (row << 32) + np.array(items)[pick]
    place = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    weight = np.where(held[place] == asked, scored.values.real[place], -np.inf)
    if not scored.any_named:
        loudest = _loudest(weight, starts, pick)
        together = scored.values.imag[place[loudest]].astype(np.int64)
        nobody, nothing = [SILENT] * len(items), [0.0] * len(items)
        return Evidence(row[loudest].tolist(), together.tolist(), nobody, nothing)
    named = np.array([entry.named for entry in scored.rows])[row]
    by_orders = _loudest(np.where(named, -np.inf, weight), starts, pick)
    by_name = _loudest(np.where(named, weight, -np.inf), starts, pick)
    return Evidence(
        np.where(by_orders < 0, SILENT, row[by_orders]).tolist(),
        scored.values.imag[place[by_orders]].astype(np.int64).tolist(),
        np.where(by_name < 0, SILENT, row[by_name]).tolist(),
        weight[by_name].tolist(),
    )


def _loudest(weight: Floats, starts: Integers, pick: Integers) -> Integers:
    """For each pick the first of its places with the largest weight, -1 where none has any."""
    most = np.maximum.reduceat(weight, starts)
    at = np.flatnonzero((weight == most[pick]) & (weight > -np.inf))
    loudest = np.full(len(starts), SILENT)
    loudest[pick[at[::-1]]] = at[::-1]  # written from the back, so that the first one stays
    return loudest
