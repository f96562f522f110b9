"""The scripts of fitted rows in Python, statement for statement: who may fit a tag, and what it puts there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream.tables.memory_accounts import Data, Keys, drop, increment

Args = Sequence[Any]


def _lease(data: Data, keys: Keys, args: Args) -> int:
    owner, now_ms, ttl_ms = args
    held = data.setdefault(keys[0], {})
    if held.get(b"owner") != owner.encode():
        if int(held.get(b"until", b"0")) > int(now_ms):
            return 0
        held[b"owner"] = owner.encode()
        increment(data, keys[0], b"epoch", 1)
    held[b"until"] = str(int(now_ms) + int(ttl_ms)).encode()
    return int(held[b"epoch"])


def _put_fits(data: Data, keys: Keys, args: Args) -> int:
    if int(data.get(keys[0], {}).get(b"epoch", b"0")) != int(args[0]):
        return 0
    for ident, row in zip(args[1::2], args[2::2], strict=True):
        if row:
            data.setdefault(keys[1], {})[ident] = row
        else:
            drop(data, keys[1], ident)
        stale = data.get(keys[2], {})
        stale.pop(ident, None)
        if not stale:
            data.pop(keys[2], None)
    data[keys[0]][b"until"] = b"0"
    return 1


FIT_SCRIPTS: dict[str, Callable[[Data, Keys, Args], Any]] = {
    "lease": _lease,
    "put_fits": _put_fits,
}
