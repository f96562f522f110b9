"""The product's worker as it is, started by its own command and watched from outside."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import psutil

from benchmarks.child import Child, running
from benchmarks.drain import Sample
from stream.embedded.broker import Broker
from stream.embedded.redis import RedisServer
from stream.errors import OperatorError
from stream.settings import PREFIX, Settings

LOOK_EVERY_S = 0.025
DRAIN_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 60.0

_TALLY = re.compile(r"so far: (.*)$", re.MULTILINE)


class Worker:
    """A running worker. `watched` are the processes whose CPU time counts: the worker, then the services."""

    def __init__(self, child: Child, watched: Sequence[psutil.Process]) -> None:
        self.child, self._watched = child, watched
        self.started_s = monotonic()

    async def ready(self) -> None:
        """Return when it reads records."""
        deadline = monotonic() + READY_TIMEOUT_S
        while "worker ready" not in self.child.log():
            self.child.check()
            if monotonic() > deadline:
                raise self.child.failure(f"was not ready after {READY_TIMEOUT_S:.0f} s")
            await asyncio.sleep(0.05)

    async def samples(self, done: Callable[[], Awaitable[int]], total: int) -> list[Sample]:
        """Look at what is done until it is all. Raises OperatorError when the worker ends or hangs."""
        samples: list[Sample] = []
        while not samples or samples[-1].done < total:
            self.child.check()
            count = await done()
            samples.append(Sample(monotonic(), count, tuple(map(_cpu_s, self._watched))))
            if monotonic() - self.started_s > DRAIN_TIMEOUT_S:
                raise self.child.failure(f"has handled {count} of {total} after {DRAIN_TIMEOUT_S:.0f} s")
            await asyncio.sleep(LOOK_EVERY_S)
        return samples

    async def stop(self) -> Mapping[str, int]:
        """Ask it to stop, and return its last tally."""
        await self.child.end(signal.SIGTERM)
        if self.child.process.returncode != 0:
            raise self.child.failure(f"ended with exit code {self.child.process.returncode}")
        found = _TALLY.findall(self.child.log())
        return tally_of(found[-1]) if found else {}


@asynccontextmanager
async def worker(
    name: str, settings: Settings, broker: Broker, redis: RedisServer, folder: Path
) -> AsyncIterator[Worker]:
    """A worker with these settings and otherwise those of the environment."""
    environ = {
        f"{PREFIX}{field.upper()}": str(getattr(settings, field))
        for field in ("broker", "redis_url", "group", "namespace", "topic_prefix")
    }
    async with running(name, ["stream", "worker"], folder, environ) as child:
        services = [*(node.pid for node in broker.nodes), redis.process.pid]
        yield Worker(child, [psutil.Process(pid) for pid in (child.pid, *services)])


def tally_of(text: str) -> dict[str, int]:
    """The counts of a worker's line `so far: ...`.

    >>> tally_of("orders.counted 12, pairs 240")
    {'orders.counted': 12, 'pairs': 240}
    """
    counts = (entry.rsplit(" ", 1) for entry in text.split(", "))
    return {name: int(count) for name, count in counts}


def expect(tally: Mapping[str, int], name: str, count: int) -> None:
    """Raise OperatorError when the worker's tally says something else: its rate would be worth nothing."""
    if tally.get(name, 0) != count:
        raise OperatorError(
            f"The worker's tally says {name} {tally.get(name, 0)}, not {count}: {dict(tally)}",
            "A rate of something else is no rate; find out what became of the rest.",
        )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
