"""Faust transport that delivers whole fetched batches: one event per partition of a fetch.

Faust makes several tasks for each event, which ends near 10,000 events a second and core. Here an event is
a `RecordBatch`, so its cost is spread over a thousand records. Agents, rebalances, flow control and the
commit timer stay Faust's; what may be committed, where reading starts and how much is in flight are ours.

URL scheme `basketstream://HOST:PORT`. Importing this module is enough to make it known to Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, cast

from aiokafka import ConsumerRecord
from aiokafka.errors import IllegalStateError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ConsumerMessage, ack_lock
from mode import Service

from stream.batches import BatchSchema, RecordBatch, batch_topic
from stream.consumer_thread import KafkaThread
from stream.errors import StateLost, StateUnavailable
from stream.offsets import DeliveredRange, DeliveredRanges, Positions

__all__ = ["BatchSchema", "Consumer", "RecordBatch", "Transport", "batch_topic"]

SCHEME = "basketstream"

#: Batches of one partition the agents may have at a time: one being worked on, one waiting.
BATCHES_IN_FLIGHT = 2
#: Keys and values of all unfinished batches, bytes; above it nothing is fetched.
BYTES_IN_FLIGHT = 64 * 1024 * 1024
#: Longest wait for records or for room, seconds; a seek waits for the fetch before it.
FETCH_WAIT_S = 0.25


class Consumer(driver.Consumer):
    """Delivers batches, and commits exactly what the agents called finished."""

    _thread: KafkaThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ranges = DeliveredRanges()
        #: What Kafka has of us, as far as we know.
        self._kafka_has: dict[TP, int] = {}
        #: Generation whose partitions were sought; nothing is delivered for another one.
        self._sought: int | None = None
        self._revocations = 0
        self._held: set[TP] = set()
        self._given_up_since: dict[DeliveredRange, float] = {}
        #: A fetch and a seek never overlap: records fetched before a seek must not be delivered after it.
        self._fetch_turn = asyncio.Lock()
        self._room = asyncio.Event()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> KafkaThread:
        return KafkaThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _positions_of_app(self) -> Positions | None:
        return getattr(self.app, "positions", None)

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
                records = await self._getmany(partitions, min(timeout, FETCH_WAIT_S))
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
        return {
            tp for tp in self._get_active_partitions() if self.ranges.unfinished(tp) < BATCHES_IN_FLIGHT
        }

    async def _wait_for_room(self) -> None:
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_WAIT_S):
                await self._room.wait()

    def _message(
        self, tp: TP, records: Sequence[ConsumerRecord], generation: int
    ) -> tuple[TP, ConsumerMessage]:
        last = records[-1]
        size_bytes = sum(record.serialized_value_size for record in records) + sum(
            record.serialized_key_size for record in records
        )
        delivered = self.ranges.deliver(tp, records[0].offset, last.offset, max(size_bytes, 0))
        batch = RecordBatch(tp.topic, tp.partition, records, generation, partial(self._finish, delivered))
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

    # -- where reading starts

    async def perform_seek(self) -> None:
        """Set the start of every assigned partition; Faust resumes the flow only after this.

        Raises StateUnavailable when the start positions do not arrive in time (Faust itself would then
        never read again, without a word), IllegalStateError when the next rebalance has begun.
        """
        limit_s = self.app.conf.broker_request_timeout * 0.9
        try:
            async with asyncio.timeout(limit_s), self._fetch_turn:
                await self._seek_to_start()
        except TimeoutError as exc:
            raise StateUnavailable(f"no start positions of the partitions in {limit_s:.0f} s") from exc

    async def _seek_to_start(self) -> None:
        generation, revocations = self.app.consumer_generation_id, self._revocations
        tps = self.assignment()
        committed = await self._thread.committed(tps)
        starts = dict(committed)
        self._held.update(tps)
        if (positions := self._positions_of_app) is not None:
            starts.update(await positions.start_at(dict(committed), generation))
        if (self.app.consumer_generation_id, self._revocations) != (generation, revocations):
            raise IllegalStateError("the next rebalance began before reading did")
        await self._thread.start_from(starts)
        self._forget(tps)
        self._kafka_has.update({tp: offset for tp, offset in committed.items() if offset is not None})
        if revocations == self._revocations:
            self._sought = generation
        for tp, offset in sorted(starts.items()):
            self.log.info("%s[%d] is read from offset %s", tp.topic, tp.partition, offset)

    async def seek(self, partition: TP, offset: int) -> None:
        """Read on from `offset`; batches that are out already no longer count."""
        async with self._fetch_turn:
            await self._thread.start_from({partition: offset})
            self._forget([partition])

    def _forget(self, tps: Iterable[TP]) -> None:
        for tp in tps:
            self.ranges.drop([tp])
            self._kafka_has.pop(tp, None)
            self._acked.pop(tp, None)
            self._acked_index.pop(tp, None)
            # Faust drops messages and acknowledgements below these two: redelivered batches lie there.
            self._read_offset[tp] = None
            self._committed_offset[tp] = None
        self._given_up_since.clear()
        self._room.set()

    # -- what is committed

    def _take_acknowledgements(self) -> None:
        with ack_lock:
            for tp, offsets in self._acked.items():
                for last in offsets:
                    self.ranges.acknowledge(tp, last)
            self._acked.clear()
            self._acked_index.clear()

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Any:
        self._take_acknowledgements()
        wanted: Any = topics
        return [
            tp
            for tp in self.ranges.partitions()
            if wanted is None or tp in wanted or tp.topic in wanted
        ]

    def _new_offset(self, tp: TP) -> int | None:
        return self.ranges.position(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return offset > self._kafka_has.get(tp, 0)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        if (positions := self._positions_of_app) is not None:
            offsets = await positions.before_commit(dict(offsets))
        if not offsets or not await super()._commit_offsets(offsets, start_new_transaction):
            return False
        self._kafka_has.update(offsets)
        return True

    async def commit_and_end_transactions(self) -> None:
        """The last commit before partitions are given away: not skipped because another one is under way."""
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await self.commit(start_new_transaction=False)

    @Service.task
    async def _watch_given_up_batches(self) -> None:
        # An agent that raised has left its batch; nothing behind it can be committed. Unless a rebalance
        # takes the partition away soon, the only way on is a restart that reads the batch again.
        grace_s = self.app.conf.broker_session_timeout
        async for _ in self.itertimer(min(1.0, grace_s / 2), name="given-up batches"):
            self._take_acknowledgements()
            now = self.loop.time()
            for tp in self.ranges.partitions():
                given_up = self.ranges.given_up(tp)
                if given_up is not None and now - self._given_up_since.setdefault(given_up, now) > grace_s:
                    raise StateLost(
                        f"the agent of {tp.topic} left {given_up} of partition {tp.partition} unfinished: "
                        "the worker stops so that a restart reads them again"
                    )

    # -- rebalance and stop

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let running batches end, commit them, and give the partitions back."""
        self._revocations += 1
        self._sought = None
        # Faust forgets its acknowledgements before it waits for the running batches (faust-streaming #502).
        self._take_acknowledgements()
        await super().on_partitions_revoked(revoked)
        await self._release(revoked)

    async def on_stop(self) -> None:
        """Commit what is finished and give every partition back."""
        await super().on_stop()
        await self._release(set(self._held))

    async def _release(self, tps: set[TP]) -> None:
        self._forget(tps)
        held, self._held = self._held & tps, self._held - tps
        if held and (positions := self._positions_of_app) is not None:
            try:
                await positions.revoked(held)
            except Exception as exc:  # noqa: BLE001 - aiokafka would swallow it, whatever it is
                await self._crash_first(exc)

    async def wait_empty(self) -> None:
        """Wait for the running batches, at most three quarters of the rebalance timeout, then commit.

        A batch that takes longer is on its own: the group does not wait for it either, the next owner of
        the partition reads it again and the tables' fence refuses the slower of the two.
        """
        deadline = self.loop.time() + self.app.conf.broker_rebalance_timeout * 0.75
        while self._unacked_messages and self.loop.time() < deadline:
            await self._wait_for_ack(timeout=1)
            self._clean_unacked_messages()
        if self._unacked_messages:
            self.log.error("Gave up waiting for running batches: %r", list(self._unacked_messages))
        try:
            await self.commit_and_end_transactions()
        except Exception as exc:  # noqa: BLE001 - a worker that cannot commit crashes, it does not hang
            await self._crash_first(exc)

    async def _crash_first(self, reason: Exception) -> None:
        """Crash, unless the worker is crashing already: what failed first is what has to be told."""
        if self.crash_reason is None:
            await self.crash(reason)
        else:
            self.log.error("On the way down: %r", reason)


class Transport(driver.Transport):
    """aiokafka with batch delivery."""

    Consumer: ClassVar[Any] = Consumer


TRANSPORTS.aliases[SCHEME] = "stream.transport:Transport"
