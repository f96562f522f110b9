"""Decisions before anything is said of their cross-sells: drafts, and the picks in columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from stream.decisions.buy_again import NOTHING_DUE, Again
from stream.decisions.candidates import Considered
from stream.decisions.ranking import Ranked
from stream.decisions.scoring import Integers
from stream.suggestion import Offer, Suppressed


class Draft(Struct, frozen=True, gc=False):
    """A decision but for its cross-sells: upsells, refusals, what is due again."""

    considered: Considered
    upsells: list[Offer]
    refused: list[Suppressed]
    again: Again = NOTHING_DUE
    outbid: bool = False
    """An upsell takes a place that is worth more to another offer: to be considered again with `fewer_upsells`."""


class Picks(NamedTuple):
    """The cross-sells picked for some baskets, basket after basket: `Ranked` in columns, and how many each has."""

    counts: list[int]
    items: Integers
    candidates: Integers
    scores: list[float]
    kinds: list[int]

    def ranked(self) -> list[Ranked]:
        """The picks one by one."""
        return list(zip(self.items.tolist(), self.candidates.tolist(), self.scores, self.kinds, strict=True))

    def followed_by(self, picked: Sequence[Sequence[Ranked]]) -> Picks:
        """These picks, and behind them those for further baskets."""
        ranked = list(chain.from_iterable(picked))
        if not ranked:
            return self._replace(counts=[*self.counts, *map(len, picked)])
        items, candidates, scores, kinds = zip(*ranked, strict=True)
        return Picks(
            [*self.counts, *map(len, picked)],
            np.concatenate((self.items, np.array(items))),
            np.concatenate((self.candidates, np.array(candidates))),
            [*self.scores, *scores],
            [*self.kinds, *kinds],
        )


NO_PICKS = Picks([], np.empty(0, np.int64), np.empty(0, np.int64), [], [])
