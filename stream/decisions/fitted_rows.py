"""Neighbour rows from fitted weights: what a line speaks for once its precision weights are there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from stream.decisions.neighbours import NeighbourRow
from stream.decisions.precision import supported
from stream.decisions.scorers import Scorer, line_weights

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class FittedWeights(NamedTuple):
    """The neighbours of a line by dense index: orders that held both, fitted weights, and orders that hold each.

    `boosts` are the policy's factors, None where it has none.
    """

    items: Integers
    together: Integers
    weights: Floats
    orders: Integers
    boosts: Floats | None = None


def current_counts(items: Integers, together: Integers, partners: Integers, counts: Integers) -> Integers:
    """Orders that held both as of now for the best partners, and as of the fit for the other neighbours.

    >>> current_counts(np.array([7, 5]), np.array([3, 6]), np.array([9, 7]), np.array([8, 4])).tolist()
    [4, 6]
    """
    now = dict(zip(partners.tolist(), counts.tolist(), strict=True))
    found = [now.get(item, then) for item, then in zip(items.tolist(), together.tolist(), strict=True)]
    return np.array(found, np.int64)


def fitted_row(
    baseline: NeighbourRow, fitted: FittedWeights, scorer: Scorer, min_together: int
) -> NeighbourRow:
    """The row of a line with fitted weights; what the baseline row says besides candidates stays.

    Nothing is claimed where fewer than `min_together` orders held both.
    """
    claimed = supported(fitted.weights, fitted.together, min_together)
    if fitted.boosts is not None:
        claimed = claimed * fitted.boosts
    weights = line_weights(scorer, claimed, fitted.orders)
    kept = np.flatnonzero(weights)
    values = np.column_stack((weights[kept], fitted.together[kept]))
    return replace(baseline, keys=fitted.items[kept].astype(np.int32).tobytes(), values=values.tobytes())
