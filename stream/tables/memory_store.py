"""The store in memory: answers like Redis, for offline evaluation and as the reference of the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream.tables import memory_scripts
from stream.tables.memory_accounts import increment
from stream.tables.store import Command, Script


class MemoryStore:
    """One Python mapping a Redis key: `dict` for hashes and sorted sets, `set`, or `bytes`."""

    def __init__(self) -> None:
        self.data: dict[bytes, Any] = {}

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        return [_COMMANDS[command[0]](self.data, *command[1:]) for command in commands]

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        return [memory_scripts.SCRIPTS[name](self.data, keys, args) for name, keys, args in scripts]

    async def close(self) -> None:
        """See `Store`."""


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _hset(data: dict[bytes, Any], key: bytes, *pairs: Any) -> int:
    table = data.setdefault(key, {})
    before = len(table)
    table.update({_raw(f): _raw(v) for f, v in zip(pairs[::2], pairs[1::2], strict=True)})
    return len(table) - before


def _hsetnx(data: dict[bytes, Any], key: bytes, field: Any, value: Any) -> int:
    table = data.setdefault(key, {})
    if _raw(field) in table:
        return 0
    table[_raw(field)] = _raw(value)
    return 1


def _hmget(data: dict[bytes, Any], key: bytes, *fields: Any) -> list[bytes | None]:
    table = data.get(key, {})
    return [table.get(_raw(field)) for field in fields]


def _hgetall(data: dict[bytes, Any], key: bytes) -> list[bytes]:
    return [part for pair in data.get(key, {}).items() for part in pair]


def _hincrby(data: dict[bytes, Any], key: bytes, field: Any, delta: Any) -> int:
    return increment(data, key, _raw(field), int(delta), keep_zero=True)


def _remove(data: dict[bytes, Any], key: bytes, *members: Any) -> int:
    held = data.get(key)
    if held is None:
        return 0
    gone = [m for m in map(_raw, members) if m in held]
    for member in gone:
        held.discard(member) if isinstance(held, set) else held.pop(member)
    if not held:
        del data[key]
    return len(gone)


def _sadd(data: dict[bytes, Any], key: bytes, *members: Any) -> int:
    held = data.setdefault(key, set())
    before = len(held)
    held.update(map(_raw, members))
    return len(held) - before


def _zrangebyscore(
    data: dict[bytes, Any], key: bytes, low: Any, high: Any, _limit: str, start: int, count: int
) -> list[bytes]:
    ranked = sorted((score, member) for member, score in data.get(key, {}).items())
    floor = float("-inf") if low == "-inf" else float(low)
    return [member for score, member in ranked if floor <= score <= float(high)][start : start + count]


def _zrange(data: dict[bytes, Any], key: bytes, low: int, high: int, _with: str) -> list[bytes]:
    ranked = sorted((score, member) for member, score in data.get(key, {}).items())
    some = ranked[low : None if high == -1 else high + 1]
    return [part for score, member in some for part in (member, str(int(score)).encode())]


def _zmscore(data: dict[bytes, Any], key: bytes, *members: Any) -> list[bytes | None]:
    held = data.get(key, {})
    return [str(held[m]).encode() if m in held else None for m in map(_raw, members)]


def _zadd_new(data: dict[bytes, Any], key: bytes, _new: str, *pairs: Any) -> int:
    held = data.setdefault(key, {})
    before = len(held)
    for score, member in zip(pairs[::2], pairs[1::2], strict=True):
        held.setdefault(_raw(member), int(score))
    return len(held) - before


def _scan(data: dict[bytes, Any], _cursor: Any, _match: str, pattern: bytes, *_count: Any) -> list[Any]:
    prefix = pattern.removesuffix(b"*")
    return [b"0", [key for key in data if key.startswith(prefix)]]


_COMMANDS: dict[str, Callable[..., Any]] = {
    "GET": lambda data, key: data.get(key),
    "MGET": lambda data, *keys: [data.get(key) for key in keys],
    "HSET": _hset,
    "HSETNX": _hsetnx,
    "HGET": lambda data, key, field: data.get(key, {}).get(_raw(field)),
    "HMGET": _hmget,
    "HGETALL": _hgetall,
    "HVALS": lambda data, key: list(data.get(key, {}).values()),
    "SET": lambda data, key, value: data.__setitem__(key, _raw(value)),
    "HKEYS": lambda data, key: list(data.get(key, {})),
    "HLEN": lambda data, key: len(data.get(key, {})),
    "HINCRBY": _hincrby,
    "HDEL": _remove,
    "SADD": _sadd,
    "SREM": _remove,
    "SISMEMBER": lambda data, key, member: int(_raw(member) in data.get(key, ())),
    "SMEMBERS": lambda data, key: list(data.get(key, ())),
    "ZCARD": lambda data, key: len(data.get(key, {})),
    "ZADD": _zadd_new,
    "ZMSCORE": _zmscore,
    "ZRANGE": _zrange,
    "ZRANGEBYSCORE": _zrangebyscore,
    "DEL": lambda data, *keys: sum(data.pop(key, None) is not None for key in keys),
    "UNLINK": lambda data, *keys: sum(data.pop(key, None) is not None for key in keys),
    "SCAN": _scan,
}
