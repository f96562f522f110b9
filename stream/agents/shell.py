"""What all agents share: a batch is attended until its effects are durable, or left unfinished."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import faust
from faust.types import TP

from stream.batches import RecordBatch
from stream.errors import StateLost, StateUnavailable, Superseded
from stream.ops.tally import Tally

logger = logging.getLogger(__name__)

Handle = Callable[[RecordBatch], Awaitable[None]]

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0


class Host(Protocol):
    """What the shell asks of the app."""

    consumer_generation_id: int

    @property
    def should_stop(self) -> bool:
        """Whether the worker stops."""

    async def crash(self, reason: BaseException) -> None:
        """Stop the worker."""

    async def take_again(self, assignment: int, reason: StateLost) -> None:
        """Take all partitions again."""


class Shell:
    """Runs a handler on each batch until it succeeds; one batch a partition at a time, partitions side by side.

    While one partition's batch waits for Redis or for Kafka, the next one's is decoded and decided.

    A handler may be repeated on the same batch at any point: counts are fenced, messages have stable ids. What it
    raises decides: unavailable, again after a pause; superseded, leave the batch to its new owner; state lost, leave
    it and take the partitions again; anything else stops the worker, since going on would leave a hole behind it.
    """

    def __init__(self, app: Host, tally: Tally) -> None:
        self._app = app
        self._tally = tally
        #: Attempts begun at the batches of each partition, for the watchdog.
        self.attempts: Counter[TP] = Counter()

    async def run(self, stream: faust.StreamT[RecordBatch], handle: Handle) -> None:
        """Attend all batches of a stream. Faust hears of a batch's end from us: before a rebalance it waits for it."""
        queues: dict[int, asyncio.Queue[faust.EventT[RecordBatch]]] = {}
        unacknowledged = cast(faust.Stream[RecordBatch], stream).noack()
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            async for event in unacknowledged.events():
                partition = cast(RecordBatch, event.value).partition
                if partition not in queues:
                    queues[partition] = asyncio.Queue()
                    tasks.append(group.create_task(self._attend_all(queues[partition], handle)))
                queues[partition].put_nowait(event)
            # The stream ends when the worker stops; what is still waiting here will be delivered again.
            for task in tasks:
                task.cancel()

    async def _attend_all(self, queue: asyncio.Queue[faust.EventT[RecordBatch]], handle: Handle) -> None:
        while True:
            event = await queue.get()
            try:
                await self.attend(cast(RecordBatch, event.value), handle)
            finally:
                event.ack()

    async def attend(self, batch: RecordBatch, handle: Handle) -> None:
        """Handle a batch and call it finished, unless another worker has taken over."""
        pause_s = FIRST_PAUSE_S
        while not self._moved_on(batch):
            self.attempts[TP(batch.topic, batch.partition)] += 1
            try:
                await handle(batch)
            except StateUnavailable as exc:
                logger.warning("%r waits %.2f s: %s", batch, pause_s, exc)
                self._tally.add("waits")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            except Superseded as exc:
                logger.warning("%r is left to its new owner: %s", batch, exc)
                self._tally.add("batches.superseded")
                return
            except StateLost as exc:
                await self._app.take_again(batch.assignment, exc)
                return
            except Exception as exc:  # noqa: BLE001  whatever it is, the worker must not go on
                logger.critical("%r cannot be handled; the worker stops", batch)
                await self._app.crash(exc)
                return
            else:
                batch.finish()
                return

    def _moved_on(self, batch: RecordBatch) -> bool:
        """Whether the batch will be delivered again, to us or to another worker."""
        return bool(self._app.should_stop) or batch.generation != self._app.consumer_generation_id
