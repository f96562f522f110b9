"""Which scorer serves: rolling tallies of hide-one hits, and a choice that needs evidence to change.

Tallies are integers in blocks of orders, so they are the same in every replay and those of several workers add up.
Scorers are compared order by order, which needs far fewer orders than comparing two rates, and by where among the
offers the hidden item stood as well as by whether it was there, which needs fewer still. The first scorer of the grid
claims no association; it serves until another is better beyond chance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import lcm, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Integers = npt.NDArray[np.int64]

TOP: Final = 10
"""A hit is a hidden item among so many offers."""

HALF: Final = 5
"""The shorter list that is reported, too."""

MISSED: Final = 1 << 30
"""The rank of a hidden item that is no candidate. Ranks count from 0."""

RANK_UNIT: Final = lcm(*range(1, TOP + 1))
"""Reciprocal ranks are whole multiples of one part in so many."""

BLOCK_ORDERS: Final = 250
KEPT_BLOCKS: Final = 16
"""What is forgotten at once, and how many such blocks are remembered: 4,000 measured orders."""

CHOSEN_FROM: Final = 500
"""Measured orders from which they say who serves; before, it is the scorer that wins on most shops."""

LOOK_EVERY: Final = 50
"""Measured orders between two looks at who is ahead."""

CLAIM_SIGMAS: Final = 2.5
"""Standard deviations by which a scorer has to beat the first one before it may claim associations."""

SWITCH_SIGMAS: Final = 0.75
"""Standard deviations by which a scorer has to beat the one that serves: enough not to take turns. Waiting for more
cost a shop with many scorers about as good 6 % of its hits."""


class Tally(Struct, frozen=True):
    """Sums over measured orders.

    A hit is worth 1 and the reciprocal of its place among the offers, a miss nothing; `apart[i, j]` sums the squared
    differences of what scorers i and j were worth order by order. Both are in `RANK_UNIT`s.
    """

    orders: int
    hits: Integers
    half_hits: Integers
    reciprocals: Integers
    apart: Integers

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.orders + other.orders,
            self.hits + other.hits,
            self.half_hits + other.half_hits,
            self.reciprocals + other.reciprocals,
            self.apart + other.apart,
        )

    @property
    def worth(self) -> Integers:
        """What the hits of each scorer were worth."""
        return self.hits * RANK_UNIT + self.reciprocals

    def lead(self, scorer: int, other: int) -> int:
        """Orders that the scorer hit more than the other."""
        return int(self.hits[scorer] - self.hits[other])

    def is_ahead(self, scorer: int, other: int, sigmas: float) -> bool:
        """Whether a scorer is worth more than another by more than so many standard deviations of chance."""
        worth = self.worth
        return int(worth[scorer] - worth[other]) > sigmas * sqrt(int(self.apart[scorer, other]))


def empty_tally(scorers: int) -> Tally:
    """No orders measured yet."""
    nothing = np.zeros(scorers, np.int64)
    return Tally(0, nothing, nothing, nothing, np.zeros((scorers, scorers), np.int64))


def tally_of(ranks: Integers) -> Tally:
    """The tally of one order, from the rank each scorer gave the hidden item."""
    hit = ranks < TOP
    reciprocals = np.where(hit, RANK_UNIT // (np.minimum(ranks, TOP) + 1), 0)
    worth = hit * RANK_UNIT + reciprocals
    return Tally(
        orders=1,
        hits=hit.astype(np.int64),
        half_hits=(ranks < HALF).astype(np.int64),
        reciprocals=reciprocals,
        apart=(worth[:, None] - worth) ** 2,
    )


class RollingTally:
    """The tally of the last few thousand measured orders.

    `blocks` is what there was of it before: full blocks, the oldest first, and then the one that was being filled.
    """

    def __init__(self, scorers: int, blocks: Sequence[Tally] = ()) -> None:
        self._empty = self._open = empty_tally(scorers)
        self._closed: deque[Tally] = deque(maxlen=KEPT_BLOCKS)
        for block in blocks:
            self._open += block
            self._close_full()
        self._closed_sum = merged(self._closed, self._empty)

    def add(self, ranks: Integers) -> Tally:
        """Count one measured order, and forget a block when enough newer ones are full; the block it went into."""
        self._open += tally_of(ranks)
        filled = self._open
        if self._close_full():
            self._closed_sum = merged(self._closed, self._empty)
        return filled

    def _close_full(self) -> bool:
        full = self._open.orders >= BLOCK_ORDERS
        if full:
            self._closed.append(self._open)
            self._open = self._empty
        return full

    def total(self) -> Tally:
        """The sum of what is remembered."""
        return self._closed_sum + self._open


def merged(tallies: Iterable[Tally], start: Tally) -> Tally:
    """The sum of the tallies of several workers, or blocks."""
    for tally in tallies:
        start += tally
    return start


class Choice(Struct, frozen=True, gc=False):
    """The scorer that serves from here on, and its lead over the best other one in hits (may be negative)."""

    scorer: int
    margin: int


def lead_over_the_rest(tally: Tally, scorer: int) -> int:
    """Hits of a scorer more than the best other one has; negative when that has more."""
    return int(tally.hits[scorer] - np.delete(tally.hits, scorer).max(initial=0))


def choose(tally: Tally, serving: int) -> Choice:
    """The scorer to serve with, given the one that does: the same for the same integers.

    The one worth most takes over when its lead over the serving one is beyond chance, more so when the serving one is
    the first, which claims nothing. One that claims and has no more hits than the first gives way to it at once.
    """
    best = int(np.argmax(tally.worth))
    if tally.is_ahead(best, serving, CLAIM_SIGMAS if serving == 0 else SWITCH_SIGMAS):
        serving = best
    if serving and tally.lead(serving, 0) <= 0:
        serving = 0
    return Choice(serving, lead_over_the_rest(tally, serving))


def serving(tally: Tally, held: int) -> int:
    """The scorer that serves from here on, given the one that does."""
    return choose(tally, held).scorer if tally.orders >= CHOSEN_FROM else held


class Selection:
    """The scorer that serves, reconsidered every so many measured orders; `first` serves until there are enough."""

    def __init__(self, scorers: int, first: int = 0) -> None:
        self._rolling = RollingTally(scorers)
        self._measured = 0
        self.serving = first
        self.chosen = False
        """Whether enough orders were measured to say so."""

    def add(self, ranks: Integers) -> None:
        """Count one measured order."""
        self._rolling.add(ranks)
        self._measured += 1
        if self._measured % LOOK_EVERY == 0:
            total = self._rolling.total()
            self.serving = serving(total, self.serving)
            self.chosen = self.chosen or total.orders >= CHOSEN_FROM

    def total(self) -> Tally:
        """What the choice rests on."""
        return self._rolling.total()
