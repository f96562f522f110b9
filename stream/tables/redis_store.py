"""The store on Redis or Valkey (6.2 or later), through redis-py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import hiredis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from stream.errors import OperatorError, StateUnavailable
from stream.tables.store import Command, Script, ScriptName

_PRELUDES: dict[ScriptName, tuple[str, ...]] = {
    "claim": ("fence",),
    "apply": ("fence", "account"),
    "sweep": ("account",),
    "move_fence": ("fence",),
    "take_return": ("fence",),
    "top_partners": (),
    "put_latest": (),
}

_WAIT_FOR = (
    "OOM",
    "MISCONF",
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
)
"""Answers that mean "not now": memory or disk full, loading, fail-over under way."""


def script_source(name: ScriptName) -> str:
    """The Lua text of a script with the preludes it needs."""
    folder = files("stream.tables") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in (*_PRELUDES[name], name))


class _PackingConnection(redis.asyncio.Connection):
    """Packs a pipeline's commands in C: a batch is hundreds of commands, and Python was half their cost."""

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        return [b"".join([hiredis.pack_command(tuple(command)) for command in commands])]


class RedisStore:
    """Pipelined commands and scripts. Connects at the first call, and again after a loss."""

    def __init__(self, url: str, *, timeout_s: float = 5.0, max_connections: int = 16) -> None:
        try:
            self._redis = redis.asyncio.Redis.from_url(
                url,
                connection_class=_PackingConnection,  # rediss:// and unix:// keep redis-py's own
                protocol=2,
                # One time limit a round trip, below: redis-py's own would be one for every reply in it.
                socket_timeout=None,
                socket_connect_timeout=timeout_s,
                max_connections=max_connections,
                retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), 3),
            )
        except ValueError as exc:
            raise OperatorError(
                f"{url!r} is not a Redis URL.",
                "Write redis://HOST:PORT/0, rediss://... for TLS, or unix://PATH?db=0.",
            ) from exc
        # Answers as the wire gives them: the twin gives the same, and nothing is decoded twice.
        self._redis.response_callbacks = {}
        self._shas: dict[ScriptName, bytes] = {}
        self._url, self._timeout_s = url, timeout_s

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        if not commands:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return await self._run(pipe)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        if not scripts:
            return []
        for _ in range(2):
            pipe = self._redis.pipeline(transaction=False)
            for name, keys, args in scripts:
                pipe.execute_command("EVALSHA", await self._sha(name), len(keys), *keys, *args)
            try:
                return await self._run(pipe)
            except NoScriptError:
                self._shas.clear()
        raise StateUnavailable(f"Redis at {self._url} keeps forgetting our scripts.")

    async def _sha(self, name: ScriptName) -> bytes:
        if name not in self._shas:
            self._shas[name] = (await self.commands([("SCRIPT", "LOAD", script_source(name))]))[0]
        return self._shas[name]

    async def _run(self, pipe: Any) -> list[Any]:
        try:
            async with asyncio.timeout(self._timeout_s):
                answers: list[Any] = await pipe.execute(raise_on_error=False)
        except TimeoutError as exc:
            raise StateUnavailable(f"Redis at {self._url} did not answer in {self._timeout_s:g} s") from exc
        except RedisError as exc:
            raise self._translated(exc) from exc
        for answer in answers:
            if isinstance(answer, RedisError):
                raise self._translated(answer)
        return answers

    def _translated(self, error: RedisError) -> Exception:
        if isinstance(error, NoScriptError):
            return error
        text = str(error)
        if not isinstance(error, ResponseError) or text.startswith(_WAIT_FOR):
            return StateUnavailable(f"Redis at {self._url}: {type(error).__name__}: {text}")
        return OperatorError(
            f"Redis at {self._url} refused a command: {text}",
            "Run `basketstream doctor`; Redis or Valkey 6.2 or later with scripting is needed.",
        )

    async def close(self) -> None:
        """See `Store`."""
        await self._redis.aclose()
