"""Ladders by range, and in columns what most lines of a range ask of theirs: is there a step at all?

Of most lines there is none: the rungs above are too dear, or cheaper than what the line costs. That is seen in the
levels and prices of the rungs, for the lines of a whole batch at once; only where a rung is left the ladder is climbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.codes import LOWER_RUNG, STEP_TOO_HIGH
from stream.decisions.columns import Column, Runs, runs, with_room
from stream.decisions.ladder import Ladder
from stream.suggestion import Suppressed

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_TO_BE_ASKED: Final = 0
"""In the place of a currency: the rung is not simply for sale."""

_BY_VARIANT: Final = -2
"""In the place of a currency: the rungs of the range are not for all lines of it."""

_FIRST_ROOM: Final = 256


class Asking(NamedTuple):
    """Lines that ask for a step, in columns: the number of their range, their level in it, their price, the number of
    the currency, and the largest factor on the price."""

    ranges: Integers
    levels: Integers
    prices: Integers
    currencies: Integers
    most: Floats


class Answer(NamedTuple):
    """Which lines have to climb their ladder, and of the others the rungs passed over: the line, and what is told."""

    climbs: Flags
    lines: Integers
    passed: list[Suppressed]


class Ladders:
    """Ladders by range id. Numbers of ranges and currencies are given in the order of first use."""

    def __init__(self, ladders: Mapping[str, Ladder] | None = None) -> None:
        self._ladders: dict[str, Ladder] = {}
        self._numbers: dict[str, int] = {}
        self._currencies: dict[str, int] = {}
        self._runs, self._room = Runs(), Column(np.int64, 0)
        self._skus: list[str] = []
        self._levels, self._prices, self._sales = np.zeros((3, _FIRST_ROOM), np.int64)
        for name, ladder in (ladders or {}).items():
            self.put(name, ladder)

    def __bool__(self) -> bool:
        return bool(self._ladders)

    def __getitem__(self, range_id: str) -> Ladder:
        return self._ladders[range_id]

    def get(self, range_id: str) -> Ladder | None:
        """The ladder of a range, None where it was not read."""
        return self._ladders.get(range_id)

    def number(self, range_id: str) -> int:
        """The number of a range."""
        return self._numbers.setdefault(range_id, len(self._numbers))

    def currency(self, name: str) -> int:
        """The number of a currency."""
        return self._currencies.setdefault(name, len(self._currencies) + 1)

    def put(self, range_id: str, ladder: Ladder) -> None:
        """Say what the ladder of a range now is."""
        number, length = self.number(range_id), len(ladder.rungs)
        start, _ = self._runs[number]
        if length > self._room[number]:
            start, self._room[number] = len(self._skus), length
            self._skus += [""] * length
            if len(self._skus) > len(self._levels):
                self._levels, self._prices, self._sales = (
                    with_room(column, len(self._skus)) for column in (self._levels, self._prices, self._sales)
                )
        for place, rung in enumerate(ladder.rungs, start):
            self._skus[place] = rung.sku
            self._levels[place], self._prices[place] = rung.rung, rung.price or 0
            sale = self.currency(rung.currency) if rung.plain else _TO_BE_ASKED
            self._sales[place] = _BY_VARIANT if ladder.variants else sale
        self._runs[number] = start, length
        self._ladders[range_id] = ladder

    def ask(self, asking: Asking) -> Answer:
        """Which of these lines have a step, as `ladder.climb` finds for lines of which nothing else is asked."""
        starts, lengths = self._runs.take(asking.ranges)
        places, line = runs(starts, lengths), np.repeat(np.arange(len(starts)), lengths)
        levels, prices, own = self._levels[places], self._prices[places], asking.prices[line]
        above, lower = levels > asking.levels[line], prices < own
        too_high = prices > own * asking.most[line]
        sales = self._sales[places]
        may_be = ~(lower | too_high) | (sales != asking.currencies[line])
        climbs = asking.prices == 0  # what the catalogue asks counts
        climbs[line[above & may_be | (sales == _BY_VARIANT)]] = True
        # Of a line with nothing above it the rung next below is told: the last of those that begin its run.
        below = np.bincount(line[levels < asking.levels[line]], minlength=len(starts))
        highest = (np.bincount(line[above], minlength=len(starts)) == 0) & (below > 0)
        told = above.copy()
        told[(np.cumsum(lengths) - lengths + below - 1)[highest]] = True
        told &= ~climbs[line]
        skus = self._skus
        passed = [
            Suppressed(skus[place], LOWER_RUNG if is_lower else STEP_TOO_HIGH)
            for place, is_lower in zip(places[told].tolist(), (lower | ~above)[told].tolist(), strict=True)
        ]
        return Answer(climbs, line[told], passed)
