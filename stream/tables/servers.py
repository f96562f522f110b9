"""The servers that answer, life by life: one that was restarted or took over may have lost what was acknowledged.

What a script writes is fenced and can be checked; what is written before a fence moves (claims, the order log, names,
notes of returns) cannot. So a server whose life is not one of those met when the partitions were taken may hold less
than a batch under way relies on, and nothing more is written until the partitions are taken again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError, ResponseError

from stream.errors import StateLost

Greeting = Callable[[Any], Awaitable[None]]
"""Called with each new connection; has to greet the server."""

logger = logging.getLogger(__name__)


class AnotherLifeError(RedisError):
    """A connection was made to a server that was not met before; redis-py does not try it again."""


class Servers:
    """The lives met so far. Until `settle` every life is taken as it comes."""

    def __init__(self) -> None:
        self._met: set[tuple[str, str]] = set()
        self._settled = False
        self._changed = ""

    async def greet(self, connection: Any) -> None:
        """redis-py's `redis_connect_func`: greet as usual, and raise AnotherLifeError for a life not met before."""
        await connection.on_connect_check_health(check_health=True)
        run_id = (await _told(connection, "server")).get("run_id", "")
        # A primary that became a replica and a primary again is the same process with another history.
        life = (run_id, (await _told(connection, "replication")).get("master_replid", ""))
        if life in self._met:
            return
        if self._settled:
            self._changed = (
                "Redis was restarted, or another server took over: what it acknowledged last may be lost. "
                "The partitions are taken again, from where its fences are."
            )
            raise AnotherLifeError(self._changed)
        self._met.add(life)
        await _mend_log(connection)

    def check(self) -> None:
        """Raise StateLost from the moment another life was met until `begin_again`."""
        if self._changed:
            raise StateLost(self._changed)

    def begin_again(self) -> None:
        """Take the servers as they come: what relied on earlier lives was dropped."""
        self._settled = False
        self._changed = ""

    def settle(self) -> None:
        """From now on work relies on the lives met."""
        self._settled = True


async def _mend_log(connection: Any) -> None:
    """Have a server that has not rewritten its append-only file in this life do so.

    A crash of the machine may leave the beginning of a script's writes at the end of the file. Redis and Valkey leave
    them out when they load it, but not out of the file: whatever is appended completes them, and after a second crash
    half a script is applied (measured on Redis 7.0; https://github.com/valkey-io/valkey/pull/4342).
    """
    told = await _told(connection, "persistence")
    if told.get("aof_enabled") != "1" or told.get("aof_last_rewrite_time_sec") != "-1":
        return
    if told.get("aof_rewrite_in_progress") == "1" or told.get("aof_rewrite_scheduled") == "1":
        return
    await connection.send_command("BGREWRITEAOF", check_health=False)
    try:
        await connection.read_response()
    except ResponseError as exc:
        logger.warning("Redis does not rewrite its append-only file: %s", exc)


async def _told(connection: Any, section: str) -> dict[str, str]:
    """A section of INFO. Raises RedisError when INFO is denied."""
    await connection.send_command("INFO", section, check_health=False)
    raw = await connection.read_response()
    text = raw.decode() if isinstance(raw, bytes) else str(raw)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
