"""What was handed to the agents and how far of it is finished: pure bookkeeping, no Kafka, no clock.

A fetched batch covers the offsets from `first` to `last` of one partition. Offsets inside and between
batches may be missing (compaction, transaction markers), so nothing here counts records: the position
after a batch is `last + 1`, and a partition may be committed up to the end of its longest finished prefix.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from faust.types import TP


class Positions(Protocol):
    """Where reading starts and how far Kafka may be told, decided outside the transport (`app.positions`).

    All run in the worker's main loop. Whatever they raise stops the worker.
    """

    async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
        """First offset to read of each partition; one that is left out starts at its committed offset.

        `committed` has every assigned partition, None where the group has committed nothing. `assignment` is the
        number that batches read from here carry.
        """
        ...

    async def out_of_range(self, tp: TP, position: int) -> int:
        """Where to go on reading: the log does not hold `position`."""
        ...

    async def before_commit(self, offsets: Mapping[TP, int]) -> Mapping[TP, int]:
        """What may be committed of `offsets` (partition to next offset to read) now."""
        ...

    async def revoked(self, tps: Set[TP]) -> None:
        """The partitions are no longer ours: their batches have ended and the last commit is done."""
        ...


class DeliveredRange:
    """One delivered batch: offsets `first` to `last`, `size_bytes` of keys and values."""

    __slots__ = ("_dropped", "acknowledged", "finished", "first", "last", "size_bytes", "tp")

    def __init__(self, tp: TP, first: int, last: int, size_bytes: int) -> None:
        self.tp = tp
        self.first = first
        self.last = last
        self.size_bytes = size_bytes
        self.finished = False
        self.acknowledged = False
        self._dropped = False

    def __repr__(self) -> str:
        return f"offsets {self.first} to {self.last}"


class DeliveredRanges:
    """The delivered batches of every partition, oldest first.

    A batch is done when the agent called it finished *and* Faust acknowledged its event: Faust acknowledges
    after an exception and for skipped events too, so an acknowledgement alone says nothing.
    """

    def __init__(self) -> None:
        self._queues: dict[TP, deque[DeliveredRange]] = {}
        self._positions: dict[TP, int] = {}
        self._unfinished: dict[TP, int] = {}
        #: Bytes of the batches that are delivered and not finished.
        self.unfinished_bytes = 0

    def deliver(self, tp: TP, first: int, last: int, size_bytes: int = 0) -> DeliveredRange:
        """Note that a batch goes out; raises ValueError when it does not lie behind the one before it."""
        queue = self._queues.setdefault(tp, deque())
        floor = queue[-1].last + 1 if queue else self._positions.get(tp, 0)
        if not floor <= first <= last:
            raise ValueError(f"{tp}: batch {first} to {last} delivered where {floor} was next")
        delivered = DeliveredRange(tp, first, last, size_bytes)
        queue.append(delivered)
        self._unfinished[tp] = self._unfinished.get(tp, 0) + 1
        self.unfinished_bytes += size_bytes
        return delivered

    def finish(self, delivered: DeliveredRange) -> None:
        """The agent is through with the batch. Of no effect for a batch that was dropped meanwhile."""
        if not delivered.finished and not delivered._dropped:
            delivered.finished = True
            self._unfinished[delivered.tp] -= 1
            self.unfinished_bytes -= delivered.size_bytes

    def acknowledge(self, tp: TP, last: int) -> None:
        """Faust has let go of the batch that ends at `last`."""
        for delivered in self._queues.get(tp, ()):
            if delivered.last == last:
                delivered.acknowledged = True

    def position(self, tp: TP) -> int | None:
        """The offset to commit: the end of the longest finished prefix; None when nothing is finished yet."""
        queue = self._queues.get(tp)
        while queue and queue[0].finished and queue[0].acknowledged:
            self._positions[tp] = queue.popleft().last + 1
        return self._positions.get(tp)

    def unfinished(self, tp: TP) -> int:
        """How many batches of the partition the agents still have."""
        return self._unfinished.get(tp, 0)

    def given_up(self, tp: TP) -> DeliveredRange | None:
        """The oldest batch that Faust let go of though it was not finished: the agent raised or left it."""
        for delivered in self._queues.get(tp, ()):
            if delivered.acknowledged and not delivered.finished:
                return delivered
        return None

    def partitions(self) -> list[TP]:
        """Partitions of which something was delivered."""
        return list(self._queues)

    def drop(self, tps: Iterable[TP]) -> None:
        """Forget partitions that were revoked or sought: their batches no longer move any position."""
        for tp in tps:
            self._positions.pop(tp, None)
            self._unfinished.pop(tp, None)
            for delivered in self._queues.pop(tp, ()):
                delivered._dropped = True
                if not delivered.finished:
                    self.unfinished_bytes -= delivered.size_bytes
