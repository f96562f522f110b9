"""Where Redis is: the one place that reads its URL.

| form | what answers |
|---|---|
| `redis://HOST:PORT/DB`, `rediss://...` for TLS, `unix://PATH?db=0` | one server |
| `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB` | the primary that these sentinels name, wherever it moves |
| `redis+cluster://HOST:PORT,HOST:PORT` | a Redis Cluster, found through any of these nodes |

`rediss+sentinel://` and `rediss+cluster://` use TLS. User and password stand before the first host; sentinels have
their own: `?sentinel_username=..&sentinel_password=..`. Other options are redis-py's, such as `?ssl_ca_certs=PATH`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from redis.asyncio.connection import parse_url

from stream.errors import OperatorError

Kind = Literal["server", "sentinel", "cluster"]
Host = tuple[str, int]

_PORTS = {"cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """What a URL says. `hosts` are the sentinels, or the cluster's nodes to ask first; a server has none."""

    kind: Kind
    shown: str
    """The URL without user, password and options, for people."""
    options: dict[str, Any]
    """Keyword arguments of redis-py's connections."""
    hosts: tuple[Host, ...] = ()
    service: str = ""
    """The sentinels' name for the primary."""


def read_redis_url(url: str) -> RedisPlace:
    """What a URL says; raises OperatorError when it is not one of the forms above."""
    try:
        parts = urlsplit(url)
        transport, _, kind = parts.scheme.partition("+")
        if not kind:
            return RedisPlace("server", _shown(parts), {**parse_url(url)})
        if kind not in _PORTS or transport not in ("redis", "rediss"):
            raise ValueError(f"no such scheme: {parts.scheme}")
        return _cluster(parts) if kind == "cluster" else _sentinel(parts)
    except ValueError as exc:
        raise OperatorError(
            f"{_without_user(url)!r} is not a Redis URL: {exc}.",
            "Write redis://HOST:PORT/0, rediss://... for TLS, unix://PATH?db=0, redis+cluster://HOST:PORT,HOST:PORT"
            " or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/0.",
        ) from exc


def _cluster(parts: SplitResult) -> RedisPlace:
    if parts.path not in ("", "/", "/0"):
        raise ValueError("a cluster has database 0 alone")
    return RedisPlace("cluster", _shown(parts), _options(parts, ""), _hosts(parts, _PORTS["cluster"]))


def _sentinel(parts: SplitResult) -> RedisPlace:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the name of the service is missing")
    if database and not database.isdecimal():
        raise ValueError(f"{database!r} is no database")
    hosts = _hosts(parts, _PORTS["sentinel"])
    return RedisPlace("sentinel", _shown(parts), _options(parts, database), hosts, service)


def _hosts(parts: SplitResult, default_port: int) -> tuple[Host, ...]:
    """Every HOST[:PORT] of the list."""
    hosts = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{text}")
        if not one.hostname:
            raise ValueError("a host is missing")
        hosts.append((one.hostname, one.port or default_port))
    return tuple(hosts)


def _options(parts: SplitResult, database: str) -> dict[str, Any]:
    """User, password, TLS and the options behind the question mark, as redis-py reads them of one server."""
    user, at, hosts = parts.netloc.rpartition("@")
    one = parts._replace(
        scheme=parts.scheme.partition("+")[0],
        netloc=f"{user}{at}{hosts.split(',')[0]}",
        path=f"/{database}" if database else "",
    )
    options = {**parse_url(urlunsplit(one))}
    for found_elsewhere in ("host", "port"):
        options.pop(found_elsewhere, None)
    return options


def _shown(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _without_user(url: str) -> str:
    """A text that may not be a URL at all, without what may be a password."""
    scheme, separator, rest = url.rpartition("@")
    return rest if not separator else f"{scheme.partition('://')[0]}://{rest}"
