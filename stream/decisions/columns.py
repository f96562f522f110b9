"""Columns: one number a dense index, in an array that grows.

What is asked of thousands of SKUs at a time is kept in columns, not in objects: one call gathers it for all of them,
and the processor waits for many places of the memory at once instead of for one after the other.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

NONE: Final = -1
"""In the place of a number there is none of."""

_FIRST_ROOM: Final = 1_024

_LENGTH_BITS: Final = 20
_LENGTH: Final = (1 << _LENGTH_BITS) - 1


class Column:
    """Whole numbers by dense index; `filling` where none was set."""

    def __init__(self, dtype: npt.DTypeLike, filling: int) -> None:
        self._filling = filling
        self._values: npt.NDArray[Any] = np.full(_FIRST_ROOM, filling, dtype)

    def __setitem__(self, item: int, value: int) -> None:
        if item >= len(self._values):
            self._values = with_room(self._values, item + 1, self._filling)
        self._values[item] = value

    def __getitem__(self, item: int) -> int:
        return int(self._values[item]) if item < len(self._values) else self._filling

    def take(self, items: Integers) -> npt.NDArray[Any]:
        """The numbers of these items, in their order and shape."""
        try:
            return self._values.take(items)
        except IndexError:
            self._values = with_room(self._values, int(items.max()) + 1, self._filling)
            return self._values.take(items)


class Runs:
    """Where the run of each dense index starts in a heap, and how long it is; none is an empty run."""

    def __init__(self) -> None:
        self._runs = Column(np.int64, 0)

    def __setitem__(self, item: int, run: tuple[int, int]) -> None:
        start, length = run
        self._runs[item] = start << _LENGTH_BITS | length

    def __getitem__(self, item: int) -> tuple[int, int]:
        run = self._runs[item]
        return run >> _LENGTH_BITS, run & _LENGTH

    def take(self, items: Integers) -> tuple[Integers, Integers]:
        """The starts of the runs of these items, and their lengths."""
        taken = self._runs.take(items)  # both in one number: they are read together, from one place
        return taken >> _LENGTH_BITS, taken & _LENGTH


def with_room(values: npt.NDArray[Any], wanted: int, filling: int | None = None) -> npt.NDArray[Any]:
    """The values with room for so many, at least doubled; what is new has the filling, or 0."""
    longer = np.zeros(max(2 * len(values), wanted), values.dtype)
    longer[: len(values)] = values
    if filling:
        longer[len(values) :] = filling
    return longer


def runs(starts: Integers, lengths: Integers) -> Integers:
    """The numbers from each start on, so many of each, run after run.

    >>> runs(np.array([7, 2]), np.array([3, 2])).tolist()
    [7, 8, 9, 2, 3]
    """
    ends = np.cumsum(lengths)
    places = np.repeat(starts - (ends - lengths), lengths)
    places += np.arange(len(places))
    return places
