"""Neighbour rows from fitted weights: what lines speak for once their precision weights are there.

Rows are made together: of one line it takes longer to call numpy than to calculate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from stream.decisions.neighbours import NeighbourRow, packed_rows
from stream.decisions.policy import Policy
from stream.decisions.precision import supported
from stream.decisions.scorers import Scorer, line_weights

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NO_PARTNER = -1
"""In the place of a count, of an item that is none of the line's best partners."""


class FittedWeights(NamedTuple):
    """Neighbours of lines by dense index, line after line: those of line r are at `bounds[r]:bounds[r + 1]`.

    Orders that held both, fitted weights, and orders that hold each. `boosts` are the policy's factors, None where it
    has none.
    """

    bounds: Integers
    items: Integers
    together: Integers
    weights: Floats
    orders: Integers
    boosts: Floats | None = None


class Listed(NamedTuple):
    """Dense indices of several lines: entry e belongs to the line at place `lines[e]`."""

    lines: Integers
    items: Integers


def partner_counts(asked: Listed, partners: Listed, counts: Integers) -> Integers:
    """Orders that held both, for each item asked about that is a partner of its line; `NO_PARTNER` for others.

    >>> lists = Listed(np.array([0, 0, 1]), np.array([9, 7, 7]))
    >>> partner_counts(Listed(np.array([0, 0, 1]), np.array([7, 5, 7])), lists, np.array([8, 4, 2])).tolist()
    [4, -1, 2]
    """
    if not len(partners.items):
        return np.full(len(asked.items), NO_PARTNER, np.int64)
    width = int(max(asked.items.max(initial=0), partners.items.max())) + 1
    held = partners.lines * width + partners.items
    order = np.argsort(held, kind="stable")
    held, wanted = held[order], asked.lines * width + asked.items
    at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return np.where(held[at] == wanted, counts[order][at], NO_PARTNER)


def with_baseline(
    weights: Floats, now: Integers, line_orders: Integers, scorer: Scorer, policy: Policy
) -> Floats:
    """Fitted weights with the say that a scorer gives the baseline beside them; `now` is of `partner_counts`."""
    if not scorer.beside:
        return weights
    return np.asarray(weights + scorer.beside * np.maximum(now, 0) / (line_orders + policy.prior_orders))


def fitted_rows(
    baselines: Sequence[NeighbourRow], fitted: FittedWeights, scorer: Scorer, min_together: int
) -> list[NeighbourRow]:
    """The rows of lines with fitted weights; what the baseline rows say besides candidates stays.

    Nothing is claimed where fewer than `min_together` orders held both.
    """
    claimed = supported(fitted.weights, fitted.together, min_together)
    if fitted.boosts is not None:
        claimed = claimed * fitted.boosts
    weights = line_weights(scorer, claimed, fitted.orders)
    kept = np.flatnonzero(weights)
    ends = np.searchsorted(kept, fitted.bounds).tolist()
    rows = packed_rows(fitted.items[kept], weights[kept], fitted.together[kept], ends)
    return [replace(baseline, elements=elements) for baseline, elements in zip(baselines, rows, strict=True)]
