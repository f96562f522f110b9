"""Models of others, trained once on the orders that only teach: what a nightly training would have served."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, csr_matrix

from stream.decisions.selection import MISSED, TOP
from stream.evaluation.figures import Figures
from stream.evaluation.numbered import NumberedOrder
from stream.evaluation.prequential import Question

Integers = npt.NDArray[np.int64]

EASE_PRIOR: Final = 50.0
"""The diagonal prior of batch EASE that gives the figures batch EASE is known by on the public sets."""

MOST_EASE_SKUS: Final = 6_000
"""Batch EASE inverts a dense matrix of the SKUs; beyond so many only the most ordered ones take part."""

KNN_NEIGHBOURS: Final = 100
ASKED_AT_ONCE: Final = 250


class Trained(Protocol):
    """A model that ranks what goes with baskets."""

    def offers(self, baskets: Sequence[Sequence[int]]) -> Integers:
        """The first ten items for each basket, none of them in it."""


class BatchEase:
    """The closed-form linear autoencoder (Steck, arXiv 1905.03375) on all SKUs at once."""

    def __init__(self, orders: Sequence[NumberedOrder], skus: int) -> None:
        held = _matrix([order.items for order in orders], skus)
        times = np.asarray(held.sum(axis=0)).ravel()
        self._skus = skus
        self._items = np.sort(np.argsort(-times, kind="stable")[:MOST_EASE_SKUS])
        held = held[:, self._items]
        gram = (held.T @ held).toarray().astype(np.float64)
        diagonal = np.diag_indices(len(gram))
        gram[diagonal] += EASE_PRIOR
        precision = np.linalg.inv(gram)
        del gram
        self._weights = (-precision / np.diag(precision)).astype(np.float32)
        self._weights[diagonal] = 0.0

    def offers(self, baskets: Sequence[Sequence[int]]) -> Integers:
        """See `Trained`."""
        asked = _matrix(baskets, self._skus)[:, self._items]
        scores = np.asarray(asked @ self._weights)
        scores[asked.nonzero()] = -np.inf
        first = min(TOP, scores.shape[1])
        best = np.argpartition(-scores, first - 1, axis=1)[:, :first]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return self._items[np.take_along_axis(best, order, axis=1)]


class ItemKnn:
    """Item-kNN by cosine, of the library implicit. Raises ImportError when that is not installed."""

    def __init__(self, orders: Sequence[NumberedOrder], skus: int) -> None:
        # One thread: the library asks for its own to be the only ones, and warns of others.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from implicit.nearest_neighbours import CosineRecommender

            self._model: Any = CosineRecommender(K=KNN_NEIGHBOURS, num_threads=1)
            self._model.fit(csr_matrix(_matrix([order.items for order in orders], skus)), show_progress=False)
        self._skus = skus

    def offers(self, baskets: Sequence[Sequence[int]]) -> Integers:
        """See `Trained`."""
        asked = csr_matrix(_matrix(baskets, self._skus))
        offers, scores = self._model.recommend(
            np.arange(len(baskets)), asked, N=TOP, filter_already_liked_items=True
        )
        return np.where(scores > 0, offers, -1).astype(np.int64)


class Comparison:
    """Asks a trained model what the engine was asked, many baskets at a time."""

    def __init__(self, model: Trained, skus: int) -> None:
        self._model, self._waiting = model, list[Question]()
        self.figures = Figures(skus)

    def ask(self, question: Question) -> None:
        """Ask about one basket, now or with later ones."""
        self._waiting.append(question)
        if len(self._waiting) == ASKED_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Answer what is waiting."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        offers = self._model.offers([question.lines for question in waiting])
        for question, offered in zip(waiting, offers, strict=True):
            found = np.flatnonzero(offered == question.hidden)
            self.figures.add(int(found[0]) if len(found) else MISSED, offered, question.heads)


def _matrix(baskets: Sequence[Sequence[int]], skus: int) -> Any:
    """Baskets x SKUs, 1 where a basket holds the SKU."""
    columns = np.concatenate([np.zeros(0, np.int32), *(np.array(items, np.int32) for items in baskets)])
    bounds = np.cumsum([0, *map(len, baskets)])
    return csr_array((np.ones(len(columns), np.float32), columns, bounds), shape=(len(baskets), skus))
