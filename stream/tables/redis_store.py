"""The store on one primary, Redis or Valkey (6.2 or later): a server, or the primary behind sentinels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from stream.errors import StateUnavailable
from stream.tables.redis_client import primary_client
from stream.tables.redis_url import RedisPlace, read_redis_url
from stream.tables.scripts import by_digest, by_source, translated
from stream.tables.servers import Servers
from stream.tables.store import Command, Script


class RedisStore:
    """Pipelined commands and scripts. Connects at the first call, and again after a loss."""

    def __init__(
        self,
        place: RedisPlace | str,
        *,
        timeout_s: float = 5.0,
        max_connections: int = 16,
        servers: Servers | None = None,
    ) -> None:
        self._servers = servers or Servers()
        if isinstance(place, str):
            place = read_redis_url(place)
        self._redis = primary_client(
            place, timeout_s=timeout_s, greet=self._servers.greet, max_connections=max_connections
        )
        self._where, self._timeout_s = place.shown, timeout_s
        # Calls beyond the connections there are wait for one; redis-py would refuse them as if Redis were away.
        self._room = asyncio.Semaphore(max_connections)

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        answers = await self._run(commands)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise translated(answer, self._where)
        return answers

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`. A Redis that was restarted has forgotten the scripts: it is sent their text again."""
        answers = await self._run([by_digest(script) for script in scripts])
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        again = await self._run([by_source(scripts[i]) for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
        for answer in answers:
            if isinstance(answer, RedisError):
                raise translated(answer, self._where)
        return answers

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        """One round trip; an answer may be an error. Raises StateUnavailable or StateLost."""
        if not commands:
            return []
        self._servers.check()
        try:
            async with self._room, asyncio.timeout(self._timeout_s):
                return await self._exchange(commands)
        except TimeoutError as exc:
            raise StateUnavailable(f"Redis at {self._where} did not answer in {self._timeout_s:g} s") from exc
        except RedisError as exc:
            raise translated(exc, self._where) from exc

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Answers as the wire gives them; what was cut off is sent again over a new connection, a few times."""
        pool = self._redis.connection_pool
        connection: Any = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            answers: list[Any] = await connection.retry.call_with_retry(
                lambda: connection.exchange(commands), lambda error: connection.disconnect(error=error)
            )
        finally:
            await pool.release(connection)
        return answers

    async def close(self) -> None:
        """See `Store`."""
        await self._redis.aclose()
