"""Redis as it is run and as it fails: kinds of durability, crashes, lost tails, full disks.

A `RedisUnderTest` keeps its folder and its port over restarts. What a crash of the machine would take from the
append-only file (what was not synced) is cut off by hand: the crash of the process alone leaves it in the page cache.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
import redis.exceptions

from stream.embedded import RedisServer
from stream.embedded.ports import free_ports
from stream.embedded.process import ChildProcess, kept_alive
from stream.embedded.redis import OPTIONS, redis_program

ALWAYS: Mapping[str, str] = {"appendfsync": "always"}
EVERYSEC: Mapping[str, str] = {"appendfsync": "everysec"}
NOTHING: Mapping[str, str] = {"appendonly": "no"}
"""No persistence at all."""
RDB_ONLY: Mapping[str, str] = {"appendonly": "no"}
"""Snapshots are taken by hand, with `save`."""

Mark = tuple[Path, int]
"""A file of the append-only log, and how far into it."""

AWAY = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)


@dataclass(frozen=True)
class RedisUnderTest(RedisServer):
    """A server of one folder and one port, as often started as one likes."""

    folder: Path = Path()

    def client(self) -> redis.asyncio.Redis:
        """A client of its own, past any proxy; close it."""
        return redis.asyncio.Redis.from_url(self.url, retry=None, socket_timeout=30)

    async def call(self, *command: Any) -> Any:
        """One command; INFO is answered as a dict."""
        async with self.client() as client:
            return await client.execute_command(*command)

    async def crash(self) -> None:
        """kill -9."""
        await self.process.kill()

    async def restart(self) -> None:
        """Start again on what the folder holds; returns when it answers."""
        await self.process.start()

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.process.pid, signal.SIGCONT)

    def tail(self) -> Path:
        """The file that the append-only log is being written to."""
        files = sorted((self.folder / "appendonlydir").glob("*.incr.aof"), key=_number)
        return files[-1]

    def mark(self) -> Mark:
        """Where the log ends now."""
        tail = self.tail()
        return tail, tail.stat().st_size

    def cut_tail(self, size: int, *, behind: Mark | None = None) -> int:
        """While it is down: take the last `size` bytes off the append-only log, none before the mark; how many."""
        tail, before = self.mark()
        # Once the log was rewritten, all that the mark stood behind is in its base.
        keep = behind[1] if behind is not None and behind[0] == tail else 0
        with tail.open("r+b") as file:
            file.truncate(min(before, max(keep, before - size)))
        return before - self.mark()[1]

    def empty(self) -> None:
        """While it is down: lose everything."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        (self.folder / "dump.rdb").unlink(missing_ok=True)

    def keep_snapshot(self) -> Path:
        """A copy of the last snapshot."""
        return Path(shutil.copy(self.folder / "dump.rdb", self.folder / "kept.rdb"))

    def use_snapshot(self, kept: Path) -> None:
        """While it is down: have it start from an old snapshot."""
        self.empty()
        shutil.copy(kept, self.folder / "dump.rdb")

    def limit_files(self, size: int = resource.RLIM_INFINITY) -> None:
        """No file may grow beyond `size` bytes: a full disk. Without a size: room again."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])


@asynccontextmanager
async def redis_of(
    folder: Path, kind: Mapping[str, str] = EVERYSEC, **options: str
) -> AsyncIterator[RedisUnderTest]:
    """Run a Redis of this kind for the time of the body, in a folder that has to exist.

    Names in `options` are written with _ for -.
    """
    port = free_ports(1)[0]
    url = f"redis://127.0.0.1:{port}/0"
    program = redis_program()
    chosen = {**OPTIONS, "dir": str(folder), **kind, **{n.replace("_", "-"): v for n, v in options.items()}}
    arguments = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    # A write beyond the file limit has to fail, as on a full disk; its signal would end the program.
    unsignalled = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "redis"]
    process = ChildProcess(
        f"Redis in {folder.name}",
        [*unsignalled, program, "--port", str(port), "--bind", "127.0.0.1", "--daemonize", "no", *arguments],
        log=folder / "redis.log",
        ready=lambda: answers(url),
    )
    async with kept_alive(process):
        await process.start()
        yield RedisUnderTest(url, program, process, folder)


async def answers(url: str) -> bool:
    """It answers a PING, and does not load any more."""
    async with redis.asyncio.Redis.from_url(url, retry=None, socket_timeout=5) as client:
        try:
            return bool(await client.ping())
        except AWAY:
            return False


def _number(file: Path) -> int:
    return int(file.name.split(".")[-3])


async def eventually(holds: Any, *, within_s: float = 60.0) -> None:
    """Poll until `holds()` (awaited) is true; fails with TimeoutError."""
    async with asyncio.timeout(within_s):
        while not await holds():
            await asyncio.sleep(0.05)
