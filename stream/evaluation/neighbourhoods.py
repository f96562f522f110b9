"""What the lines of a basket speak for, from counts in memory: baseline weights and fitted ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.policy import Policy
from stream.decisions.precision import is_stale, neighbourhood, precision_weights
from stream.decisions.scorers import FITS
from stream.evaluation.pair_counts import PairCounts
from stream.tables.neighbours import MOST_PARTNERS

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Partners(NamedTuple):
    """The best partners of a line, c_ij / (n_i + prior) of each, and c_ij: the orders that held both."""

    items: Integers
    weights: Floats
    together: Integers


class Fitted(NamedTuple):
    """Items a line speaks for by its fits, a row of weights a fit, and its orders when it was fitted.

    Weights are float32, as they are stored.
    """

    items: Integers
    weights: npt.NDArray[np.float32]
    orders: int


class Neighbourhoods:
    """Rows of lines: partners as of now, fits as of the last time they went stale."""

    def __init__(self, counts: PairCounts, policy: Policy) -> None:
        self._counts, self._policy = counts, policy
        self._fitted: dict[int, Fitted] = {}
        self.fits = 0

    def partners(self, item: int) -> Partners:
        """The partners as of now."""
        others, together = self._counts.partners(item, MOST_PARTNERS)
        own = int(self._counts.orders[item])
        return Partners(others, together / (own + self._policy.prior_orders), together)

    def fitted(self, items: Iterable[int], heads: Sequence[int]) -> list[Fitted]:
        """The fitted rows of lines; those that are stale are fitted first, equally large ones together."""
        wanted = list(items)
        by_size: dict[int, list[list[int]]] = {}
        for item in wanted:
            before = self._fitted.get(item)
            if before is None or is_stale(before.orders, int(self._counts.orders[item])):
                others, _ = self._counts.partners(item, MOST_PARTNERS)
                members = neighbourhood(item, others.tolist(), heads)
                by_size.setdefault(len(members), []).append(members)
        for group in by_size.values():
            self._fit(group)
        return [self._fitted[item] for item in wanted]

    def _fit(self, group: Sequence[Sequence[int]]) -> None:
        counts = self._counts
        members = np.array(group, np.int64)
        together = np.stack([counts.together(items) for items in group])
        weights = precision_weights(together, counts.orders[members], list(FITS.values()))
        for row, items in zip(weights.astype(np.float32), members, strict=True):
            self._fitted[int(items[0])] = Fitted(items[1:], row, int(counts.orders[items[0]]))
        self.fits += len(group)
