"""What is reported of a scorer: hit rates, reciprocal ranks, coverage, and the share of the shop's heads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.decisions.selection import HALF, TOP
from stream.evaluation.ranking import NONE

HEADS: Final = 20
"""The most ordered items of the moment; `heads` is the share of offers that are among them."""


class Figures:
    """Sums over the evaluated orders for one scorer."""

    def __init__(self, skus: int) -> None:
        self.hits = bytearray()
        """One byte an evaluated order: whether the hidden item was among the first ten."""
        self._half_hits = 0
        self._reciprocals = 0.0
        self._offered: npt.NDArray[np.bool_] = np.zeros(skus, np.bool_)
        self._offers = 0
        self._head_offers = 0

    def add(self, rank: int, offers: npt.NDArray[np.int64], heads: Iterable[int]) -> None:
        """Count one evaluated order: the rank of what was hidden, from 0, and the first ten offers."""
        hit = rank < TOP
        self.hits.append(hit)
        self._half_hits += rank < HALF
        self._reciprocals += 1 / (rank + 1) if hit else 0.0
        offered = offers[offers != NONE]
        self._offered[offered] = True
        self._offers += len(offered)
        self._head_offers += len(set(offered.tolist()).intersection(heads))

    @property
    def hit_rate(self) -> float:
        """HR@10."""
        return sum(self.hits) / max(1, len(self.hits))

    def report(self, known: int) -> dict[str, float]:
        """The figures, rounded; coverage is of the `known` SKUs that were ever ordered."""
        evaluated = max(1, len(self.hits))
        return {
            "hr@5": round(self._half_hits / evaluated, 4),
            "hr@10": round(self.hit_rate, 4),
            "mrr@10": round(self._reciprocals / evaluated, 4),
            "coverage": round(int(self._offered.sum()) / max(1, known), 4),
            "heads": round(self._head_offers / max(1, self._offers), 4),
        }
