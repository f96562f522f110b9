"""What `basketstream doctor` looks at in Redis: a server, the primary behind sentinels, all primaries of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from stream.errors import OperatorError, StateUnavailable
from stream.ops.finding import Finding
from stream.tables.connection import primaries
from stream.tables.redis_url import RedisPlace, read_redis_url

OLDEST_REDIS = (6, 2)
PATIENCE_S = 5.0

_START_IT = "Start it, or name the right one with --redis or BASKETSTREAM_REDIS_URL."


async def examine_redis(url: str) -> list[Finding]:
    """Whether Redis answers, is new enough, keeps what it acknowledged, never evicts, and has somebody to take over."""
    try:
        place = read_redis_url(url)
        async with primaries(place) as clients:
            async with asyncio.timeout(PATIENCE_S):
                infos = await asyncio.gather(*(client.info() for client in clients.values()))
    except (RedisError, OSError, StateUnavailable) as exc:
        return [
            Finding("redis", False, f"Redis does not answer: {str(exc) or type(exc).__name__}", _START_IT)
        ]
    except OperatorError as exc:
        return [Finding("redis", False, exc.problem, exc.remedy)]
    by_address = dict(zip(clients, infos, strict=True))
    return [*_together(by_address), *replica_findings(place, by_address)]


def _together(infos: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What is true of all servers is said once, what is true of some with their addresses."""
    found: dict[Finding, list[str]] = {}
    for address, info in infos.items():
        for finding in redis_findings(info):
            found.setdefault(finding, []).append(address)
    return [
        finding
        if len(addresses) == len(infos)
        else Finding(finding.name, finding.ok, f"{', '.join(addresses)}: {finding.what}", finding.remedy)
        for finding, addresses in found.items()
    ]


def replica_findings(place: RedisPlace, infos: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Who takes over from each primary; nothing is said of a single server, which has nobody by choice."""
    if place.kind == "server":
        return []
    alone = [address for address, info in infos.items() if not int(info.get("connected_slaves", 0))]
    many = f"{len(infos)} primaries" if place.kind == "cluster" else "a primary behind sentinels"
    where = f"{many}: {', '.join(infos)}"
    findings = [Finding(place.kind, True, where)]
    if alone:
        findings.append(
            Finding(
                "replicas",
                None,
                f"{', '.join(alone)} has no replica: nobody takes over.",
                "Add a replica to each primary; what a fail-over loses is replayed from the log.",
            )
        )
    return findings


def redis_findings(info: Mapping[str, Any]) -> list[Finding]:
    """The findings in what INFO says; CONFIG is denied on many managed servers."""
    version = str(info["redis_version"])
    product = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    policy = str(info.get("maxmemory_policy", "noeviction"))
    limited = int(info.get("maxmemory", 0)) > 0
    logged = bool(int(info.get("aof_enabled", 0)))
    oldest = ".".join(map(str, OLDEST_REDIS))
    new_enough = tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_REDIS
    return [
        Finding("redis", new_enough, product, "" if new_enough else f"Redis {oldest} or newer is needed."),
        Finding(
            "eviction",
            policy == "noeviction",
            f"maxmemory-policy is {policy}",
            ""
            if policy == "noeviction"
            else "An evicted count is a wrong count: maxmemory-policy noeviction",
        ),
        Finding(
            "memory limit",
            True if limited else None,
            f"maxmemory is {info.get('maxmemory_human', info.get('maxmemory', 0))}",
            ""
            if limited
            else "Without a limit the kernel may kill Redis: set maxmemory below the machine's.",
        ),
        Finding(
            "durability",
            True if logged else None,
            f"appendonly is {'yes' if logged else 'no'}",
            "" if logged else "A restart loses the tables; they are rebuilt from the log: set appendonly yes",
        ),
    ]
