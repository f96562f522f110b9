"""The watchdog: a partition that has records and makes no progress ends the worker, for a supervisor to start it again.

Progress is a batch delivered, a batch finished, another attempt at a batch, or another assignment. A worker that
waits for Redis or for Kafka tries again every few seconds, says so in its log, and is left alone: a restart would not
mend that.
Nobody is stuck who has nothing to do either: a silent partition is compared with the end of its log, and before the
worker is ended the record it does not read is read.

| what hangs | how it is seen |
|---|---|
| a handler, an agent, the stream that feeds it | a delivered batch, and no progress of its partition |
| fetching, or a rebalance that never ends | no batch delivered, although the log holds a record |
| the event loop | it does not answer a thread of ours (`loop_watch`) |

Silence is counted in looks, each worth two intervals at most: a process that was stopped and goes on is not stuck.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.errors import StreamError, WorkerStuck

logger = logging.getLogger(__name__)

LOOKS = 10
"""Looks in the time after which a worker counts as stuck."""
LONGEST_INTERVAL_S = 5.0
KAFKA_ANSWERS_S = 20.0
"""A Kafka that does not answer in this time is away."""


def interval_s(stuck_after_s: float) -> float:
    """Time between two looks."""
    return min(LONGEST_INTERVAL_S, stuck_after_s / LOOKS)


class Sight(NamedTuple):
    """What is seen of a partition; any change of it is progress."""

    next_offset: int | None
    """The next record to be delivered lies here or behind; None as long as nothing says where reading starts."""

    in_flight: int
    """Batches delivered and not finished."""

    attempts: int
    """Attempts begun at its batches."""

    assignment: int = 0
    """Number of the assignment. While Redis is away a worker asks for its partitions again and again."""


class Silence:
    """For how many seconds each partition has shown no progress."""

    def __init__(self, interval_s: float) -> None:
        self._longest_s = 2 * interval_s
        self._looked_s: float | None = None
        self._seen: dict[TP, tuple[Sight, float]] = {}

    def look(self, sights: Mapping[TP, Sight], now_s: float) -> dict[TP, float]:
        """Take in what is seen at `now_s` (a monotonic clock); partitions not in it are forgotten."""
        passed_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, self._longest_s)
        self._looked_s = now_s
        before, self._seen = self._seen, {}
        for tp, sight in sights.items():
            seen, silent_s = before.get(tp, (None, 0.0))
            self._seen[tp] = (sight, silent_s + passed_s if seen == sight else 0.0)
        return {tp: silent_s for tp, (_, silent_s) in self._seen.items()}

    def excuse(self, tp: TP) -> None:
        """The partition has reason to be silent: count from now."""
        self._seen[tp] = (self._seen[tp][0], 0.0)


class Watchdog:
    """Looks at the partitions of one worker.

    `sights` tells what is to be seen; `log_ends` where the logs of topics end, `has_record` whether a partition's
    log holds a record at an offset or behind it: both ask Kafka over a connection of their own, and fail while it
    is away.
    """

    def __init__(
        self,
        sights: Callable[[], Mapping[TP, Sight]],
        log_ends: Callable[[str], Awaitable[Mapping[int, int]]],
        has_record: Callable[[TP, int], Awaitable[bool]],
        *,
        stuck_after_s: float,
    ) -> None:
        self._sights, self._log_ends, self._has_record = sights, log_ends, has_record
        self._stuck_after_s = stuck_after_s
        self._interval_s = interval_s(stuck_after_s)
        self._silence = Silence(self._interval_s)

    async def run(self) -> None:
        """Look again and again. Raises WorkerStuck."""
        while True:
            await self.look(time.monotonic())
            await asyncio.sleep(self._interval_s)

    async def look(self, now_s: float) -> None:
        """One look at every partition. Raises WorkerStuck."""
        sights = self._sights()
        silent = self._silence.look(sights, now_s)
        for tp, sight in sorted(sights.items()):
            if sight.in_flight and silent[tp] >= self._stuck_after_s:
                raise self._stuck(tp, silent[tp], "a batch it was given is not finished")
        idle = [tp for tp in sorted(sights) if not sights[tp].in_flight and self._wonder(silent[tp])]
        try:
            async with asyncio.timeout(KAFKA_ANSWERS_S):
                ends = {topic: await self._log_ends(topic) for topic in sorted({tp.topic for tp in idle})}
                for tp in idle:
                    end = ends[tp.topic].get(tp.partition, 0)
                    await self._check_idle(tp, sights[tp].next_offset, end, silent[tp])
        except WorkerStuck:
            raise
        except (StreamError, KafkaError, OSError, TimeoutError) as exc:
            logger.warning("Kafka is away, so nothing is read: %r", exc)
            for tp in idle:
                self._silence.excuse(tp)

    def _wonder(self, silent_s: float) -> bool:
        """Whether it has been silent long enough to ask Kafka if there is anything to read."""
        return silent_s >= self._stuck_after_s / 2

    async def _check_idle(self, tp: TP, next_offset: int | None, end: int, silent_s: float) -> None:
        if next_offset is not None and end <= next_offset:
            self._silence.excuse(tp)
        elif silent_s >= self._stuck_after_s:
            if next_offset is None:
                raise self._stuck(tp, silent_s, "nothing said where its reading starts")
            # The end of a transaction and an open one look like records from afar.
            if await self._has_record(tp, next_offset):
                raise self._stuck(
                    tp, silent_s, f"its log goes on to {end}, nothing behind {next_offset} came"
                )
            self._silence.excuse(tp)

    def _stuck(self, tp: TP, silent_s: float, why: str) -> WorkerStuck:
        return WorkerStuck(
            f"{tp.topic}[{tp.partition}] made no progress for {silent_s:.0f} s: {why}. "
            "The worker ends; started again it goes on where the tables are."
        )
