"""What the lines of a basket speak for, from counts in memory: partners as of now, fits as of when they went stale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.decisions.precision import is_stale, neighbourhood, precision_weights
from stream.decisions.scorers import FITS
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.said import LineFit, SaidLine
from stream.services.neighbour_fitter import HEADS_EVERY_FITS, HEADS_KEPT
from stream.tables.neighbours import MOST_PARTNERS


class Neighbourhoods:
    """Fits of items by the rules of the workers' fitter: when, with which of the shop's most ordered items."""

    def __init__(self, counts: PairCounts) -> None:
        self._counts = counts
        self._fitted: dict[int, LineFit] = {}
        self._fitted_at: dict[int, int] = {}
        self._heads: list[int] = []
        self._heads_at = self._fits_since = 0
        self.heads_counted = 0
        """How often the most ordered items were counted."""

    def said(self, lines: Sequence[int]) -> list[SaidLine]:
        """What each of these lines says, after those that need it were fitted."""
        counts = self._counts
        orders = counts.orders[list(lines)].tolist()
        partners = [counts.partners(line, MOST_PARTNERS) for line in lines]
        by_size: dict[int, list[list[int]]] = {}
        for line, own, (others, _) in zip(lines, orders, partners, strict=True):
            if is_stale(self._fitted_at.get(line, 0), own):
                members = neighbourhood(line, others.tolist(), self.heads())
                by_size.setdefault(len(members), []).append(members)
        for group in by_size.values():
            self._fit(group)
        return [
            SaidLine(own, others, together, self._fitted.get(line))
            for line, own, (others, together) in zip(lines, orders, partners, strict=True)
        ]

    def heads(self) -> list[int]:
        """The most ordered items, as last counted: when orders grew by a tenth, or many fits were made."""
        if is_stale(self._heads_at, self._counts.total) or self._fits_since >= HEADS_EVERY_FITS:
            self._heads = self._counts.heads(HEADS_KEPT).tolist()
            self._heads_at, self._fits_since = self._counts.total, 0
            self.heads_counted += 1
        return self._heads

    def _fit(self, group: Sequence[Sequence[int]]) -> None:
        counts = self._counts
        members = np.array(group, np.int64)
        together = np.stack([counts.together(items) for items in group])
        weights = precision_weights(together, counts.orders[members], list(FITS.values()))
        for row, met, items in zip(weights.astype(np.float32), together, members, strict=True):
            item = int(items[0])
            self._fitted[item] = LineFit(items[1:], met[0, 1:], row.astype(np.float64))
            self._fitted_at[item] = int(counts.orders[item])
        self._fits_since += len(group)
