"""The prelude `fence.lua` in Python, over the mappings of a `MemoryStore`."""

from __future__ import annotations

from typing import Any

from stream.tables.memory_accounts import Data, Keys


def refuse_owner(data: Data, keys: Keys, source: str, epoch: int) -> list[Any] | None:
    """`refuse_owner`: None when the epoch is the one in force, else the answer to give."""
    held = int(data.get(keys[0], {}).get(f"{source}/e".encode(), b"0"))
    if held > epoch:
        return [3, held]
    return [4, held] if held < epoch else None


def fence_of(data: Data, key: bytes, field: str) -> int:
    """`fence_of`: the offset a fence stands at, -1 where there is none."""
    stored = data.get(key, {}).get(field.encode())
    if stored is not None:
        return int(stored.split(b":")[0])
    source, expiry, pane = field.rpartition("/x")
    folded = data.get(key, {}).get(f"{source}/f".encode()) if expiry else None
    return 1 << 52 if folded is not None and int(pane) < int(folded.split(b":")[0]) else -1


def refuse_range(data: Data, key: bytes, field: str, first: int, last: int, known: int) -> list[Any] | None:
    """`refuse_range`: None when `first` to `last` lies wholly behind the fence, else the answer to give."""
    fence = fence_of(data, key, field)
    if fence < known:
        return [4, fence]
    if last <= fence:
        return [1, fence]
    return [2, fence] if first <= fence else None
