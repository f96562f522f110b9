"""The Kafka side of the consumer: aiokafka in a thread of its own, as Faust's driver runs it.

Every method here runs in that thread; the consumer of `stream/transport.py` calls them from the main loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.errors import OperatorError

#: Longest time the broker may hold a fetch that has no data. aiokafka keeps one fetch a broker in flight and
#: a partition that is missing in it waits for its end, so Faust's fixed 1500 ms would stall a busy partition
#: beside idle ones. This is also what a lone basket waits for when its partition was read a moment ago, so it is
#: short: a hundred empty fetches a second cost about a hundredth of a core.
FETCH_MAX_WAIT_MS = 10
#: How often a caller looks whether the thread that should answer still runs, seconds.
THREAD_CHECK_S = 0.5


class KafkaThread(driver.AIOKafkaConsumerThread):
    """Commits, seeks and looks up offsets for the batch consumer."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        if self.app.conf.consumer_auto_offset_reset != "earliest":
            raise OperatorError(
                f"consumer_auto_offset_reset is {self.app.conf.consumer_auto_offset_reset!r}.",
                "Set it to 'earliest': with anything else a new group would skip what is in the topics.",
            )
        consumer = super()._create_worker_consumer(transport)
        # Faust 0.15.3 fixes these in its driver; aiokafka reads them when the consumer starts.
        # An order of an aborted transaction was never placed.
        consumer._isolation_level = "read_committed"
        # A position that the log does not hold is an error for us to judge, never a jump in silence.
        consumer._auto_offset_reset = "none"
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        return consumer

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Have the thread run `fun`; raises what it raises, and ConsumerStoppedError when the thread ended.

        Faust would wait for ever for a thread that crashed, so that the crashed worker could not even stop.
        """
        ended = ConsumerStoppedError("the consumer thread has ended")
        if self.thread_loop.is_closed():
            raise ended
        promise = await self.method_queue.call(self.parent_loop.create_future(), fun, *args, **kwargs)
        try:
            while not promise.done():
                if self.should_stop:
                    raise ended
                await asyncio.wait([promise], timeout=THREAD_CHECK_S)
        finally:
            promise.cancel()
        return promise.result()

    async def rejoin(self) -> None:
        """Have this member join its group again, which gives all its partitions back first."""
        await self.call_thread(self._rejoin)

    async def _rejoin(self) -> None:
        self._ensure_consumer()._coordinator.request_rejoin()

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int | None]:
        """The group's committed offset of each partition, None where there is none."""
        return await self.call_thread(self._committed, list(tps))  # type: ignore[no-any-return]

    async def _committed(self, tps: list[TP]) -> dict[TP, int | None]:
        consumer = self._ensure_consumer()
        offsets = await asyncio.gather(*(consumer.committed(TopicPartition(*tp)) for tp in tps))
        return dict(zip(tps, offsets, strict=True))

    async def start_from(self, starts: Mapping[TP, int | None]) -> None:
        """Seek every partition, one with None to the beginning of its log.

        Partitions without a commit are sought as well: records that were fetched and thrown away in a
        rebalance have moved their position (faust-streaming #217, #241).
        Raises IllegalStateError when a partition is not assigned any more.
        """
        await self.call_thread(self._start_from, starts)

    async def _start_from(self, starts: Mapping[TP, int | None]) -> None:
        consumer = self._ensure_consumer()
        beginnings = [TopicPartition(*tp) for tp, offset in starts.items() if offset is None]
        for tp, offset in starts.items():
            if offset is not None:
                consumer.seek(TopicPartition(*tp), offset)
        if beginnings:
            await consumer.seek_to_beginning(*beginnings)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # Faust 0.15.3 looks for "already rebalanced" in the error; aiokafka 0.14 breaks the line between the
        # two words, so every commit that a rebalance overtook would crash the worker.
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError) as exc:
            self.log.warning("A rebalance overtook a commit, the records will be read again: %r", exc)
            return False
        except KafkaError as exc:
            if not exc.retriable and not isinstance(exc, KafkaTimeoutError):
                raise
            self.log.warning("Kafka did not confirm a commit, trying again: %r", exc)
            return False
        now = monotonic()
        self.tp_last_committed_at.update(dict.fromkeys(offsets, now))
        return True
