"""Reads the answers back as a storefront would: the time from the intended sending to the fetch that brought them."""

from __future__ import annotations

import asyncio
from time import monotonic, monotonic_ns

import msgspec
import numpy as np
from msgspec import Struct

from benchmarks.backlog import reader
from benchmarks.child import Task, given, say
from benchmarks.load_till import read_stamp

FETCH_TIMEOUT_MS = 500
GIVE_UP_S = 20.0
"""Without an answer for so long, the rest is missing."""


class Ready(Struct, frozen=True):
    """It reads from here on."""

    ready: bool = True


class Latencies(Struct, frozen=True):
    """Milliseconds from the intended time of sending to the answer read back."""

    answers: int
    missing: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class _Cause(Struct):
    event_id: str


class _Answer(Struct):
    cause: _Cause


_decode = msgspec.json.Decoder(_Answer).decode


async def read(task: Task) -> Latencies:
    """Read `task.records` answers that count, or as many as come."""
    waits_ns: list[int] = []
    async with reader(task.bootstrap, task.topic, fetch_max_wait_ms=100) as consumer:
        await consumer.seek_to_end()
        for tp in consumer.assignment():
            await consumer.position(tp)
        say(Ready())
        last_s = monotonic()
        while len(waits_ns) < task.records and monotonic() - last_s < GIVE_UP_S:
            fetched = await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)
            now_ns = monotonic_ns()
            for records in fetched.values():
                last_s = monotonic()
                stamps = (read_stamp(_decode(record.value).cause.event_id) for record in records)
                waits_ns += [now_ns - at_ns for at_ns in stamps if at_ns is not None]
    return latencies(waits_ns, task.records)


def latencies(waits_ns: list[int], expected: int) -> Latencies:
    """Exact percentiles of all answers: no buckets, no sampling."""
    if not waits_ns:
        return Latencies(0, expected, *[float("inf")] * 5)
    marks = np.percentile(np.asarray(waits_ns) / 1e6, [50, 90, 99, 99.9, 100]).tolist()
    return Latencies(len(waits_ns), expected - len(waits_ns), *marks)


def main() -> None:
    """Say ready, read, and say how long it took."""
    say(asyncio.run(read(given(Task))))


if __name__ == "__main__":
    main()
