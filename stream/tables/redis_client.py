"""The client of a primary: one server, or whichever server the sentinels name."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import redis.asyncio
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from stream.tables.exchanging import Exchanging, OfPrimary
from stream.tables.redis_url import RedisPlace
from stream.tables.servers import Greeting

LOOK_AGAIN_S = 1.0
"""How often the sentinels are asked whether the primary is still the primary."""

SENTINEL_TIMEOUT_S = 1.0
"""How long a sentinel may take; a dead one must not use up the time of a whole round trip."""


class TcpConnection(Exchanging, Connection):
    """`redis://`."""


class TlsConnection(Exchanging, SSLConnection):
    """`rediss://`."""


class SocketConnection(Exchanging, UnixDomainSocketConnection):
    """`unix://`."""


PACKING: dict[Any, Any] = {
    None: TcpConnection,
    SSLConnection: TlsConnection,
    UnixDomainSocketConnection: SocketConnection,
}
"""Our connection class for redis-py's choice."""


class _PrimaryConnection(OfPrimary, SentinelManagedConnection):
    pass


class _PrimaryTlsConnection(OfPrimary, SentinelManagedSSLConnection):
    pass


class NoSentinelError(MasterNotFoundError):
    """None of the sentinels answers."""


class _Sentinels(Sentinel):
    """Asks all sentinels and believes the newest fail-over: one that is cut off still names the old primary."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Address of the primary.

        Raises MasterNotFoundError when none of them knows one that is up, or one of them is about to replace it: the
        others go on naming the old one until it has, and what that takes now is lost. NoSentinelError when none
        answers.
        """
        answers = await asyncio.gather(
            *(sentinel.sentinel_master(service_name) for sentinel in self.sentinels), return_exceptions=True
        )
        up = [
            state
            for state in answers
            if isinstance(state, dict) and self.check_master_state(state, service_name)
        ]
        if not up:
            silent = all(isinstance(answer, (RedisConnectionError, RedisTimeoutError)) for answer in answers)
            raise (NoSentinelError if silent else MasterNotFoundError)(
                f"none of {len(answers)} sentinels names a primary {service_name!r} that is up: {_why(answers)}"
            )
        newest = max(up, key=lambda state: (int(state["config-epoch"]), state["ip"], state["port"]))
        if any(_replaces(state, newest) for state in answers if isinstance(state, dict)):
            raise MasterNotFoundError(f"the sentinels are replacing the primary {service_name!r}")
        return newest["ip"], int(newest["port"])


def _replaces(state: dict[str, Any], newest: dict[str, Any]) -> bool:
    """Whether a sentinel is under way with a fail-over that is as new as what the others know."""
    return "failover_in_progress" in str(state["flags"]) and int(state["config-epoch"]) >= int(
        newest["config-epoch"]
    )


def _why(answers: list[Any]) -> str:
    """What stood in the way, each reason once."""
    reasons = {
        str(answer) if isinstance(answer, Exception) else f"it is {answer['flags']}" for answer in answers
    }
    return "; ".join(sorted(reasons))


class _FollowingPool(SentinelConnectionPool):
    """Looks after the primary once a second: an old one that is cut off from the others may still answer us."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._look_at = 0.0

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connection to the primary of this second."""
        now = asyncio.get_running_loop().time()
        if now >= self._look_at:
            await self._follow()
            self._look_at = now + LOOK_AGAIN_S
        return await super().get_connection()  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Let go of the primary and of the sentinels."""
        await super().aclose()
        await self.sentinel_manager.aclose()

    async def get_master_address(self) -> Any:
        """Where the primary is now. When that is news, no connection to the old one is used again.

        The sentinels leave an old primary that is alive one for some eight seconds, and all that it takes is lost.
        Whoever hears of the new one first, a look or a connection that is being made, closes the others.
        """
        before = self.master_address
        address = await super().get_master_address()  # type: ignore[no-untyped-call]
        if before not in (None, address):
            await self.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
            # Those, too, that were given back since redis-py closed the idle ones.
            await self.disconnect(inuse_connections=False)
        return address

    async def _follow(self) -> None:
        """Raises MasterNotFoundError while a fail-over is under way: what the old primary takes now is lost."""
        with suppress(NoSentinelError):  # then the primary that answers stays ours
            await self.get_master_address()


def primary_client(
    place: RedisPlace, *, timeout_s: float, max_connections: int = 16, greet: Greeting | None = None
) -> redis.asyncio.Redis:
    """A client of the server, or of the primary behind sentinels. Connects at the first command."""
    options: dict[str, Any] = {
        **place.options,
        "protocol": 2,
        # One time limit a round trip, in the store: redis-py's own would be one for every reply in it.
        "socket_timeout": None,
        "socket_connect_timeout": timeout_s,
        "redis_connect_func": greet,
        "max_connections": max_connections,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), 3),
    }
    tls = options.pop("connection_class", None)
    if place.kind == "server":
        pool = redis.asyncio.ConnectionPool(connection_class=PACKING[tls], **options)
        return redis.asyncio.Redis.from_pool(pool)
    sentinels: Any = _Sentinels(  # type: ignore[no-untyped-call]
        place.hosts, sentinel_kwargs=_sentinel_options(options, tls is not None)
    )
    client: redis.asyncio.Redis = sentinels.master_for(
        place.service,
        connection_pool_class=_FollowingPool,
        connection_class=_PrimaryTlsConnection if tls is not None else _PrimaryConnection,
        **options,
    )
    return client


def _sentinel_options(options: dict[str, Any], tls: bool) -> dict[str, Any]:
    """How to reach the sentinels; takes what is theirs out of the options."""
    return {
        "username": options.pop("sentinel_username", None),
        "password": options.pop("sentinel_password", None),
        "ssl": tls,
        **{name: value for name, value in options.items() if name.startswith("ssl_")},
        "socket_timeout": SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
