"""What of the delivered batches is committed, and how partitions are given back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TPorTopicSet
from faust.types.tuples import ack_lock
from mode import Service

from stream.consumer_thread import KafkaThread
from stream.errors import StateLost
from stream.offsets import DeliveredRange, DeliveredRanges, Positions


class CommittingConsumer(driver.Consumer):
    """Commits exactly what the agents called finished.

    Faust's own bookkeeping counts single offsets, can pass one that is still running (faust-streaming #606)
    and forgets finished ones in a rebalance (#502); here it is `DeliveredRanges`.
    """

    _thread: KafkaThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.ranges = DeliveredRanges()
        #: What Kafka has of us, as far as we know.
        self._kafka_has: dict[TP, int] = {}
        self._held: set[TP] = set()
        self._given_up_since: dict[DeliveredRange, float] = {}
        #: Set when a batch ended, so that more may be fetched.
        self._room = asyncio.Event()
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> KafkaThread:
        return KafkaThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _positions_of_app(self) -> Positions | None:
        return getattr(self.app, "positions", None)

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
        return [tp for tp in self.ranges.partitions() if wanted is None or tp in wanted or tp.topic in wanted]

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
        # Faust forgets its acknowledgements before it waits for the running batches (faust-streaming #502).
        self._take_acknowledgements()
        if self.app.should_stop:
            # Faust's part below does nothing then, and the running batch could no longer be committed.
            await self.wait_empty()
        await super().on_partitions_revoked(revoked)
        await self._release(revoked)

    async def on_stop(self) -> None:
        """Commit what is finished and give every partition back."""
        await super().on_stop()
        await self._release(set(self._held))

    def close(self) -> None:
        """Nothing: the thread closes its connections itself when it stops.

        Faust calls this when a rebalance meets a stopping worker, and closes them from the wrong loop: they
        stay open and the group is not left, so the others wait for the session to time out.
        """

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
