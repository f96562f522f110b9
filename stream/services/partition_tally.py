"""What was measured on one partition of the orders: which of its orders are asked about, and the scorers' hits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from stream.decisions.hide_one import hidden_sku, is_sampled
from stream.decisions.selection import BLOCK_ORDERS, Integers, RollingTally
from stream.events import OrderPlaced
from stream.tables.scorers import Block, block_of

ONE_IN: Final = 2
"""One order in so many is measured."""

MOST_A_SECOND: Final = 4
"""At most so many orders of a partition are measured in a second, by the time at which Kafka took them: a measurement
is some milliseconds of a worker, whatever the load."""


class Arrival(NamedTuple):
    """An order with its record's offset and time, milliseconds since 1970."""

    order: OrderPlaced
    offset: int
    at_ms: int


class Question(NamedTuple):
    """An order to ask about, and the SKU of it that is hidden."""

    arrival: Arrival
    hidden: str


class PartitionTally:
    """The rolling tally of one partition, and how far it went.

    All of it follows from the log: a replay of the same log measures the same orders.
    """

    def __init__(self, names: list[str], blocks: Sequence[Block]) -> None:
        self._names = names
        self._rolling = RollingTally(len(names), [block.tally() for block in blocks])
        last = blocks[-1] if blocks else None
        self._number = 0 if last is None else last.number + (last.orders >= BLOCK_ORDERS)
        self._last_offset, self._second, self._in_second = (
            (-1, -1, 0) if last is None else (last.last_offset, last.second, last.in_second)
        )
        self.measured = self._number * BLOCK_ORDERS
        if last is not None and last.orders < BLOCK_ORDERS:
            self.measured += last.orders
        self._changed: dict[int, Block] = {}

    def sample(self, arrivals: Iterable[Arrival]) -> list[Question]:
        """The orders among these, in log order, that are asked about; those that were measured before are not."""
        second, in_second = self._second, self._in_second
        asked = []
        for arrival in arrivals:
            order = arrival.order
            full = in_second >= MOST_A_SECOND and arrival.at_ms // 1_000 == second
            if full or arrival.offset <= self._last_offset or not is_sampled(order.order_id, ONE_IN):
                continue
            hidden = hidden_sku(order.order_id, {line.sku for line in order.lines})
            if hidden is None:
                continue
            second, in_second = _counted(arrival, second, in_second)
            asked.append(Question(arrival, hidden))
        return asked

    def add(self, arrival: Arrival, ranks: Integers) -> None:
        """Count one measured order."""
        filled = self._rolling.add(ranks)
        self._last_offset = arrival.offset
        self._second, self._in_second = _counted(arrival, self._second, self._in_second)
        self._changed[self._number] = block_of(
            filled,
            self._names,
            number=self._number,
            last_offset=self._last_offset,
            second=self._second,
            in_second=self._in_second,
        )
        self.measured += 1
        self._number += filled.orders >= BLOCK_ORDERS

    def changed(self) -> list[Block]:
        """The blocks that changed and are not kept yet."""
        return list(self._changed.values())

    def kept(self) -> None:
        """What changed is kept."""
        self._changed = {}


def _counted(arrival: Arrival, second: int, in_second: int) -> tuple[int, int]:
    """The second of an order, and how many of it are measured with this one."""
    own = arrival.at_ms // 1_000
    return own, in_second + 1 if own == second else 1
