"""Redis processes as tests want them: one that can be killed, and a primary with replicas and sentinels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from stream.embedded.ports import free_ports
from stream.embedded.process import ChildProcess, kept_alive
from stream.embedded.redis import OPTIONS, redis_program
from stream.embedded.scratch import scratch_folder

PATIENCE_S = 30.0
POLL_S = 0.05
SERVICE = "shop"


@dataclass(frozen=True, slots=True)
class RedisNode:
    """One server process; `process` stops, kills and starts it again on the same port and folder."""

    port: int
    folder: Path
    process: ChildProcess

    @property
    def url(self) -> str:
        """Of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def ask(self, *command: Any) -> Any:
        """The answer to one command, in text where it is text; raises RedisError at once."""
        return await ask(self.port, *command)

    async def info(self, section: str) -> Mapping[str, str]:
        """The lines of a section of INFO."""
        lines = (await self.ask("INFO", section)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


async def ask(port: int, *command: Any) -> Any:
    """Ask the server on a port of this machine one thing."""
    client = redis.asyncio.Redis(
        port=port,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=5,
        socket_connect_timeout=5,
        decode_responses=True,
        protocol=2,
    )
    client.response_callbacks = {}
    try:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


def redis_node(folder: Path, port: int, lines: Sequence[str] = (), *, sentinel: bool = False) -> RedisNode:
    """A server that is still to be started: configuration lines are added to the usual ones."""
    folder.mkdir(parents=True, exist_ok=True)
    usual = [f'{name} "{value}"' for name, value in OPTIONS.items()] if not sentinel else []
    config = folder / "redis.conf"
    config.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", *usual, *lines]) + "\n")
    command = [redis_program(), str(config), *(["--sentinel"] if sentinel else [])]

    async def ready() -> bool:
        try:
            return bool(await ask(port, "PING") == "PONG")
        except (RedisError, OSError):
            return False

    process = ChildProcess(f"Redis on port {port}", command, log=folder / "redis.log", ready=ready)
    return RedisNode(port, folder, process)


@dataclass(frozen=True, slots=True)
class SentinelGroup:
    """A primary with replicas, watched by sentinels."""

    nodes: Sequence[RedisNode]
    """The first one began as the primary."""
    sentinels: Sequence[RedisNode]

    @property
    def url(self) -> str:
        """As the product takes it."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    async def primary_port(self) -> int:
        """Whom the first sentinel that answers names."""
        for sentinel in self.sentinels:
            try:
                return int((await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE))[1])
            except (RedisError, OSError):
                continue
        raise AssertionError("no sentinel answers")

    async def settled(self) -> None:
        """Return once every running sentinel knows the others and every running replica is in step."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_settled():
                await asyncio.sleep(POLL_S)

    async def _is_settled(self) -> bool:
        running = [node for node in self.nodes if node.process.running]
        for sentinel in self.sentinels:
            raw = await sentinel.ask("SENTINEL", "MASTER", SERVICE)
            state = dict(zip(raw[::2], raw[1::2], strict=True))
            others = (int(state["num-other-sentinels"]), int(state["num-slaves"]))
            if state["flags"] != "master" or others != (len(self.sentinels) - 1, len(self.nodes) - 1):
                return False
            told = await sentinel.ask("SENTINEL", "REPLICAS", SERVICE)
            replicas = [dict(zip(raw[::2], raw[1::2], strict=True)) for raw in told]
            well = [r for r in replicas if r["flags"] == "slave" and r["master-link-status"] == "ok"]
            if len(well) < len(running) - 1:
                return False
        links = [await node.info("replication") for node in running]
        following = [link for link in links if link["role"] == "slave"]
        return len(following) == len(running) - 1 and all(
            link["master_link_status"] == "up" for link in following
        )

    async def fail_over(self) -> None:
        """Ask for it, until a sentinel has heard from a replica that is fit to take over: it may be busy."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
                    return
                except ResponseError as exc:
                    if "NOGOODSLAVE" not in str(exc):
                        raise
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def sentinel_group(
    *,
    replicas: int = 1,
    sentinels: int = 3,
    lines: Sequence[str] = (),
    down_after_ms: int = 800,
    behind: Callable[[int], int] = lambda port: port,
) -> AsyncIterator[SentinelGroup]:
    """A primary, its replicas and sentinels that fail over after `down_after_ms`; `lines` go to the data nodes.

    `behind` is given the port of the primary and says at which one everybody else finds it: that of a proxy.
    """
    with scratch_folder("sentinels") as folder:
        ports = free_ports(1 + replicas + sentinels)
        data, watch = ports[: 1 + replicas], ports[1 + replicas :]
        known = behind(data[0])
        nodes = [
            redis_node(
                folder / f"node-{port}",
                port,
                [
                    *lines,
                    "repl-diskless-sync-delay 0",
                    f"replicaof 127.0.0.1 {known}" if i else f"replica-announce-port {known}",
                ],
            )
            for i, port in enumerate(data)
        ]
        watchers = [
            redis_node(
                folder / f"sentinel-{port}",
                port,
                [
                    f"sentinel monitor {SERVICE} 127.0.0.1 {known} {sentinels // 2 + 1}",
                    f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}",
                    f"sentinel failover-timeout {SERVICE} 4000",
                ],
                sentinel=True,
            )
            for port in watch
        ]
        async with kept_alive(*(node.process for node in (*nodes, *watchers))):
            await asyncio.gather(*(node.process.start() for node in nodes))
            await asyncio.gather(*(watcher.process.start() for watcher in watchers))
            group = SentinelGroup(nodes, watchers)
            await group.settled()
            yield group
