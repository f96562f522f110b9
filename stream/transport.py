"""Faust transport that delivers whole fetched batches: one event per partition of a fetch.

Faust makes several tasks for each event, which ends near 10,000 events a second and core. Here an event is
a `RecordBatch`, so its cost is spread over a thousand records. Agents, rebalances, flow control and the
commit timer stay Faust's; what may be committed, where reading starts and how much is in flight are ours.

URL scheme `basketstream://HOST:PORT`. Importing this module is enough to make it known to Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar, cast

from aiokafka import ConsumerRecord
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.exceptions import ConsumerNotStarted
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream.batches import BatchSchema, RecordBatch, batch_topic
from stream.commits import CommittingConsumer
from stream.errors import StateUnavailable
from stream.offsets import DeliveredRange

__all__ = ["BatchSchema", "Consumer", "RecordBatch", "Transport", "batch_topic"]

SCHEME = "basketstream"

#: Batches of one partition the agents may have at a time: one being worked on, one waiting.
BATCHES_IN_FLIGHT = 2
#: Keys and values of all unfinished batches, bytes; above it nothing is fetched.
BYTES_IN_FLIGHT = 64 * 1024 * 1024
#: Longest wait for records or for room, seconds; a seek waits for the fetch before it.
FETCH_WAIT_S = 0.25
#: The same while some partitions have no room: their records must not wait for those of idle partitions.
CROWDED_WAIT_S = 0.005

_KEY_BYTES = attrgetter("serialized_key_size")
_VALUE_BYTES = attrgetter("serialized_value_size")


class Consumer(CommittingConsumer):
    """Delivers batches, from where the positions say and no more than there is room for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: Generation whose partitions were sought; nothing is delivered for another one.
        self._sought: int | None = None
        self._revocations = 0
        #: Where the next record of each partition lies, or behind it.
        self._next: dict[TP, int] = {}
        #: The assignment we asked to take again.
        self._left: int | None = None
        #: A fetch and a seek never overlap: records fetched before a seek must not be delivered after it.
        self._fetch_turn = asyncio.Lock()
        super().__init__(*args, **kwargs)

    # -- fetching

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message for each partition of one fetch."""
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        records: Mapping[TP, Sequence[ConsumerRecord]] = {}
        async with self._fetch_turn:
            generation = self.app.consumer_generation_id
            partitions = self._with_room() if self._may_deliver(generation) else set()
            if partitions:
                crowded = len(partitions) < len(self._get_active_partitions())
                wait_s = CROWDED_WAIT_S if crowded else FETCH_WAIT_S
                records = await self._fetch(partitions, min(timeout, wait_s), generation)
        if not partitions:
            await self._wait_for_room()
        for tp, batch in records.items():
            # What is dropped here is fetched again: a seek of every partition comes before the next fetch.
            if not self._may_deliver(generation):
                return
            yield self._message(ensure_TP(tp), batch, generation)

    def _may_deliver(self, generation: int) -> bool:
        return (
            self.flow_active
            and not self.should_stop
            and self._sought == generation == self.app.consumer_generation_id
        )

    def _with_room(self) -> set[TP]:
        if self.ranges.unfinished_bytes >= BYTES_IN_FLIGHT:
            return set()
        return {tp for tp in self._get_active_partitions() if self.ranges.unfinished(tp) < BATCHES_IN_FLIGHT}

    async def _wait_for_room(self) -> None:
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_WAIT_S):
                await self._room.wait()

    def _message(
        self, tp: TP, records: Sequence[ConsumerRecord], generation: int
    ) -> tuple[TP, ConsumerMessage]:
        last = records[-1]
        size_bytes = sum(map(_KEY_BYTES, records)) + sum(map(_VALUE_BYTES, records))
        self._next[tp] = last.offset + 1
        delivered = self.ranges.deliver(tp, records[0].offset, last.offset, max(size_bytes, 0))
        finish = partial(self._finish, delivered)
        batch = RecordBatch(tp.topic, tp.partition, records, generation, finish, self._revocations)
        with suppress(IllegalStateError):  # the partition left us meanwhile
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        return tp, ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000.0,
            timestamp_type=last.timestamp_type,
            headers=None,
            key=None,
            value=cast(Any, batch),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=size_bytes,
            tp=tp,
            generation_id=generation,
        )

    def _finish(self, delivered: DeliveredRange) -> None:
        self.ranges.finish(delivered)
        self._room.set()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: batches are contiguous to us whatever offsets compaction and transactions left out."""

    async def _fetch(
        self, partitions: set[TP], timeout_s: float, generation: int
    ) -> Mapping[TP, Sequence[ConsumerRecord]]:
        try:
            return await self._getmany(partitions, timeout_s)
        except NoOffsetForPartitionError:
            # A rebalance came while we waited; the new partitions are not sought yet.
            return {}
        except OffsetOutOfRangeError as exc:
            if self._may_deliver(generation):
                await self._read_elsewhere(exc)
            return {}

    async def _read_elsewhere(self, error: OffsetOutOfRangeError) -> None:
        """The log does not hold what was to be read next: go on where the positions say, or crash with their reason."""
        positions = self._positions_of_app
        if positions is None:
            raise error
        for tp, position in error.args[0].items():
            start = await positions.out_of_range(ensure_TP(tp), position)
            await self._thread.start_from({ensure_TP(tp): start})
            self._next[ensure_TP(tp)] = start
            if start < position:
                self._forget([ensure_TP(tp)])

    def deliveries(self) -> dict[TP, tuple[int | None, int]]:
        """Of each assigned partition: the offset at or behind which its next record lies, None before its start
        is known, and how many of its batches the agents have."""
        try:
            assigned = self.assignment()
        except ConsumerNotStarted:
            return {}
        sought = self._sought is not None
        return {tp: (self._next.get(tp) if sought else None, self.ranges.unfinished(tp)) for tp in assigned}

    # -- where reading starts

    async def perform_seek(self) -> None:
        """Set the start of every assigned partition; Faust resumes the flow only after this.

        While Redis is away nothing is read, and the partitions are asked for again. Raises StateUnavailable when
        the start positions do not arrive in time (Faust itself would then never read again, without a word),
        IllegalStateError when the next rebalance has begun.
        """
        limit_s = self.app.conf.broker_request_timeout * 0.9
        try:
            async with asyncio.timeout(limit_s), self._fetch_turn:
                await self._seek_to_start()
        except StateUnavailable as exc:
            self.log.warning("Nothing is read yet: %s", exc)
            await self._thread.rejoin()
        except TimeoutError as exc:
            raise StateUnavailable(f"no start positions of the partitions in {limit_s:.0f} s") from exc

    async def _seek_to_start(self) -> None:
        generation, revocations = self.app.consumer_generation_id, self._revocations
        tps = self.assignment()
        committed = await self._thread.committed(tps)
        starts = dict(committed)
        self._held.update(tps)
        if (positions := self._positions_of_app) is not None:
            starts.update(await positions.start_at(dict(committed), revocations))
        if (self.app.consumer_generation_id, self._revocations) != (generation, revocations):
            raise IllegalStateError("the next rebalance began before reading did")
        await self._thread.start_from(starts)
        self._forget(tps)
        self._kafka_has.update({tp: offset for tp, offset in committed.items() if offset is not None})
        await self._tell_starts(
            {tp: at for tp, at in starts.items() if at is not None and committed[tp] is None}
        )
        self._next = {tp: offset or 0 for tp, offset in starts.items()}
        if revocations == self._revocations:
            self._sought = generation
        for tp, offset in sorted(starts.items()):
            self.log.info("%s[%d] is read from offset %s", tp.topic, tp.partition, offset)

    async def take_again(self, assignment: int) -> bool:
        """Give every partition back and take it again, as in a rebalance; whether that is news of this assignment.

        The way on when the tables went back: what is in flight is left, and reading starts where the tables are.
        """
        if assignment != self._revocations or assignment == self._left or self.should_stop:
            return False
        if self._sought is None:
            return False  # not taken yet: that is still to come, and a join under way forgets what is asked meanwhile
        self._left = assignment
        await self._thread.rejoin()
        return True

    @property
    def assignment_number(self) -> int:
        """The number of the present assignment."""
        return self._revocations

    async def _tell_starts(self, starts: Mapping[TP, int]) -> None:
        """Commit where reading begins, of partitions of which Kafka holds no commit, before it does.

        After a crash between moving the fences and the first commit Kafka would else not know that the batch in
        between was never finished: the next worker would read on behind it, and its answers would be missing.
        """
        if starts and not await self._thread.commit(starts):
            raise StateUnavailable("Kafka did not take the start positions")
        self._kafka_has.update(starts)

    async def seek(self, partition: TP, offset: int) -> None:
        """Read on from `offset`; batches that are out already no longer count."""
        async with self._fetch_turn:
            await self._thread.start_from({partition: offset})
            self._next[partition] = offset
            self._forget([partition])

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Deliver nothing more until the next partitions are sought."""
        self._revocations += 1
        self._sought = None
        await super().on_partitions_revoked(revoked)


class Transport(driver.Transport):
    """aiokafka with batch delivery."""

    Consumer: ClassVar[Any] = Consumer


TRANSPORTS.aliases[SCHEME] = "stream.transport:Transport"
