"""The candidates of each basket in order: the first few of all baskets at once, more of those that somebody walks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.decisions.neighbours import FRACTION, ITEM_BITS, item_of
from stream.decisions.scoring import PLACE_BITS, Integers, Scored
from stream.decisions.views import Views

Ranked = tuple[int, int, float, int]
"""A candidate in its place: dense index, number within the chunk, published score, its kind in the assortment."""

DECIMALS: Final = 9
"""Decimals of a published score; the order is that of the whole numbers behind it."""

_STEP: Final = 32
"""Candidates of a basket that are put in order at once when ties have to be settled, or somebody reads on."""

_NOTHING: Final = np.iinfo(np.int64).min


def best_first(scores: Integers, bounds: Integers) -> Integers:
    """A row for each run of scores between two bounds: each score with its place in the run, the highest first.

    To be `unpacked`. Runs are of different lengths: behind the last of a run there is nothing of use.
    """
    lengths = np.diff(bounds)
    places = np.arange(int(lengths.max(initial=0)))
    table = np.full((len(lengths), len(places)), _NOTHING)
    table[places < lengths[:, None]] = scores << PLACE_BITS
    table |= places
    table.sort(axis=1)
    return table[:, ::-1]


def unpacked(table: Integers, starts: Integers | int) -> tuple[Integers, Integers]:
    """Scores and places of a part of the table, counted from where each row's run starts."""
    return table >> PLACE_BITS, (table & ((1 << PLACE_BITS) - 1)) + starts


class Ranking:
    """The candidates of some baskets, best first by (score, count, margin, SKU).

    All baskets are put in order of their scores at once; ties are settled in those that have any among the
    first few, and further down as far as somebody walks.

    The first few are there in columns too, a row for each basket: dense indices, numbers within the chunk, published
    scores and kinds. `known` tells how many there are of each basket, `tied` which of them score the same as the next.
    """

    def __init__(self, scored: Scored, views: Views, first: int) -> None:
        self._scored, self._views, self._first = scored, views, first
        held = np.diff(scored.bounds)
        self._table = best_first(scored.scores, scored.bounds)
        self._bounds: list[int] = scored.bounds.tolist()
        scores, candidates = unpacked(self._table[:, : first + 1], scored.bounds[:-1, None])
        self.known = np.minimum(held, first)
        self.tied = np.zeros((len(held), min(first, scores.shape[1])), np.bool_)
        self.tied[:, : scores.shape[1] - 1] = scores[:, 1:] == scores[:, :-1]
        self.tied &= np.arange(1, self.tied.shape[1] + 1) < held[:, None]
        self._in_doubt: list[bool] = self.tied.max(axis=1, initial=False).tolist()
        self.candidates, self.scores = candidates[:, :first], _published(scores[:, :first])
        self.items = scored.items(self.candidates)
        self.kinds = views.assortment.kind_of.take(self.items)

    def all_of(self, basket: int) -> Integers:
        """The dense indices of all candidates of the basket at this position, in no order of theirs."""
        return item_of(self._scored.keys[self._bounds[basket] : self._bounds[basket + 1]])

    def lines(self) -> tuple[Integers, Integers]:
        """The known lines of all baskets that are offered no upsell: positions of baskets, and dense indices."""
        refs = self._scored.refs
        at = np.repeat(np.arange(len(self.known)), self._scored.row_counts)
        return (at, refs) if not self._scored.others else (at[refs >= 0], refs[refs >= 0])

    def are_lines(self, at: Integers, lines: Integers) -> npt.NDArray[np.bool_]:
        """Which of the first few are lines, each of the basket at this position."""
        keys = self._scored.keys
        wanted = (at << ITEM_BITS) | lines
        places = keys.searchsorted(wanted)
        found = np.zeros(len(keys) + 1, np.bool_)
        found[places] = keys.take(places, mode="clip") == wanted
        return found.take(self.candidates, mode="clip")

    def walk(self, basket: int) -> Iterator[Ranked]:
        """All candidates of the basket at this position, best first, ordered as far as it is read."""
        known = int(self.known[basket])  # what follows in the table is another basket's
        if not known:
            return iter(())
        if self.tied[basket, known - 1]:
            return self._in_order(basket, 0)
        first: Iterable[Ranked] = zip(
            self.items[basket, :known].tolist(),
            self.candidates[basket, :known].tolist(),
            self.scores[basket, :known].tolist(),
            self.kinds[basket, :known].tolist(),
            strict=True,
        )
        if self._in_doubt[basket]:
            first = self._untied(first, self.tied[basket, :known].tolist())
        return chain(first, self._in_order(basket, self._first)) if known == self._first else iter(first)

    def _untied(self, ranked: Iterable[Ranked], tied: Iterable[bool]) -> Iterator[Ranked]:
        """Candidates in order of their scores, and those of the same score in theirs; the last one is in no tie."""
        level: list[Ranked] = []
        for entry, same in zip(ranked, tied, strict=True):
            level.append(entry)
            if not same:
                yield from level if len(level) == 1 else sorted(level, key=self._tie_break)
                level = []

    def _in_order(self, basket: int, start: int) -> Iterator[Ranked]:
        """The candidates of one basket from a place on that stands in no tie with the one before."""
        for _, level in groupby(self._entries(basket, start), key=itemgetter(0)):
            tied = [ranked for _, ranked in level]
            yield from tied if len(tied) == 1 else sorted(tied, key=self._tie_break)

    def _entries(self, basket: int, start: int) -> Iterator[tuple[int, Ranked]]:
        """(score, candidate) of one basket from a place on, a step ahead of who reads: few are ever looked at."""
        begin, end = self._bounds[basket], self._bounds[basket + 1]
        for at in range(start, end - begin, _STEP):
            row = self._table[basket, at : min(at + _STEP, end - begin)]
            scores, candidates = unpacked(row, begin)
            items = self._scored.items(candidates)
            kinds = self._views.assortment.kind_of.take(items).tolist()
            ranked = zip(items.tolist(), candidates.tolist(), _published(scores).tolist(), kinds, strict=True)
            yield from zip(scores.tolist(), ranked, strict=True)

    def _tie_break(self, ranked: Ranked) -> tuple[int, int, str]:
        """More orders together first, then the larger margin, then the SKU: a total order."""
        item, candidate, *_ = ranked
        product = self._views.assortment.products[item]
        margin = 0 if product is None else product.margin()
        return -self._scored.together(candidate), -margin, self._views.skus[item]


def _published(scores: Integers) -> npt.NDArray[np.float64]:
    """Scores as they are told: decimal fractions."""
    return np.round(scores / FRACTION, DECIMALS)
