"""Which line of a basket speaks loudest for each offer, found for all offers of a batch at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.columns import runs
from stream.decisions.neighbours import ORDERS
from stream.decisions.scoring import Integers, Scored

SILENT = -1
"""In the place of a row's number: no learned row speaks for the item. Also in the place of a source."""

_UNHEARD = np.iinfo(np.int64).min


class Evidence(NamedTuple):
    """For each pick in order: the number of the row that gives the reason, how much it weighs the item (in
    `neighbours.FRACTION`s) and its count, and the number of the learned row that weighs it most with the orders that
    held both."""

    speaker: Integers
    weight: Integers
    counted: npt.NDArray[np.int32]
    learned: Integers
    together: npt.NDArray[np.int32]


def evidence(scored: Scored, picked: Integers) -> Evidence:
    """The evidence for picked candidates of `scored`.

    The reason is given by the greatest source that speaks for an item (not against it, unless all do), and there by
    the row that weighs it most; of rows that weigh it the same, by the first one (by SKU).
    """
    if not len(picked):
        return Evidence(picked, picked, picked.astype(np.int32), picked, picked.astype(np.int32))
    lengths = scored.starts[picked + 1] - scored.starts[picked]
    ends = np.cumsum(lengths)
    pick = np.repeat(np.arange(len(picked)), lengths)
    starts = ends - lengths
    elements = scored.elements[runs(scored.starts[picked], lengths)]
    weights = scored.weights[elements]
    if not scored.others:
        at = _loudest(weights, starts, pick)
        loudest = elements[at]
        speaker = np.searchsorted(scored.row_bounds, loudest, side="right") - 1
        together = scored.met(loudest)
        return Evidence(speaker, weights[at], together, speaker, together)
    rows = np.searchsorted(scored.row_bounds, elements, side="right") - 1
    told = np.array([row.source for row in scored.others])
    sources = np.where(scored.refs < 0, told[np.maximum(~scored.refs, 0)], ORDERS)
    source = np.where(weights > 0, sources[rows], SILENT)
    greatest = np.maximum.reduceat(source, starts)
    speaking = _loudest(np.where(source == greatest[pick], weights, _UNHEARD), starts, pick)
    by_orders = _loudest(np.where(source == ORDERS, weights, _UNHEARD), starts, pick)
    return Evidence(
        rows[speaking],
        weights[speaking],
        scored.met(elements[speaking]),
        np.where(by_orders < 0, SILENT, rows[by_orders]),
        scored.met(elements[by_orders]),
    )


def _loudest(weights: Integers, starts: Integers, pick: Integers) -> Integers:
    """For each pick the first of its places with the largest weight, -1 where none has any."""
    most = np.maximum.reduceat(weights, starts)
    at = np.flatnonzero((weights == most[pick]) & (weights > _UNHEARD))
    loudest = np.full(len(starts), SILENT)
    loudest[pick[at[::-1]]] = at[::-1]  # written from the back, so that the first one stays
    return loudest
