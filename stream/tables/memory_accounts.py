"""The prelude `account.lua` in Python: a customer's account over the mappings of a `MemoryStore`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stream.tables.diary import ENTRY_BYTES, FULL, MOST_ENTRIES, compacted, is_full
from stream.tables.wire import Account

Data = dict[bytes, Any]
Keys = Sequence[bytes]


def increment(data: Data, key: bytes, field: bytes, delta: int, *, keep_zero: bool = False) -> int:
    """HINCRBY, then HDEL at zero unless `keep_zero`."""
    table = data.setdefault(key, {})
    total = int(table.get(field, b"0")) + delta
    if total == 0 and not keep_zero:
        table.pop(field, None)
        if not table:
            del data[key]
    else:
        table[field] = str(total).encode()
    return total


def drop(data: Data, key: bytes, field: bytes) -> None:
    """HDEL or ZREM."""
    table = data.get(key, {})
    table.pop(field, None)
    if not table:
        data.pop(key, None)


def settle_tier(data: Data, keys: Keys, ident: bytes, account: bytes, tiers: Any, cause: str | None) -> int:
    """`settle_tier`: the tier from the account; answers the messages posted."""
    held = min(int(data.get(keys[2], {}).get(ident, b"0")), len(tiers))
    fields: dict[bytes, bytes] = data.get(account, {})
    tier, spend = 0, []
    for field, value in fields.items():
        if field.startswith(b"t:"):
            total = int(value)
            rise = max((i for i, (up, _) in enumerate(tiers, 1) if total >= up), default=0)
            keep = max((i for i, (_, low) in enumerate(tiers[:held], 1) if total >= low), default=0)
            tier = max(tier, rise, keep)
            spend.append([field[2:].decode(), value.decode()])
    if tier == held:
        return 0
    if tier:
        data.setdefault(keys[2], {})[ident] = str(tier).encode()
    else:
        drop(data, keys[2], ident)
    if cause is None:
        return 0
    message = msgspec.msgpack.encode([fields.get(b"id", b"").decode(), held, tier, spend])
    data.setdefault(keys[4], {})[cause.encode() + b"/" + ident] = message
    return 1


def take_purchases(data: Data, diary: bytes, through: int | None) -> None:
    """`take_purchases`: what is left of a diary when panes go."""
    held = data.get(diary, b"")
    if is_full(held):
        return
    left = compacted(held, through)
    if not left:
        data.pop(diary, None)
    elif len(left) < len(held):
        data[diary] = left


def add_purchases(data: Data, diary: bytes, entries: bytes) -> int:
    """`add_purchases`: 1 when a diary becomes too long."""
    held = data.get(diary, b"") + entries
    if is_full(held):
        return 0
    data[diary] = held if len(held) <= MOST_ENTRIES * ENTRY_BYTES else FULL
    return int(data[diary] == FULL)


def forget_if_empty(data: Data, keys: Keys, ident: bytes, account: bytes, spend: bytes, diary: bytes) -> None:
    """`forget_if_empty`: an account that holds nothing goes."""
    if b"orders" in data.get(account, {}) or data.get(spend):
        return
    take_purchases(data, diary, None)
    if is_full(data.get(diary, b"")):
        del data[diary]
    data.pop(account, None)
    drop(data, keys[2], ident)
    drop(data, keys[3], ident)


def _account_field(what: str) -> bytes:
    return b"orders" if what == "o" else f"t:{what}".encode()


def change_account(
    data: Data,
    keys: Keys,
    customer: Account,
    own: Sequence[bytes],
    tiers: Any,
    cause: str,
) -> tuple[int, int]:
    """`change_account`: one customer's share of a batch; answers the messages posted, and diaries that became too long.

    `own` are the customer's keys: account, spend, diary.
    """
    ident, name, entries, bought = customer
    account, spend, diary = own
    mark = data.get(keys[6], {}).get(ident)
    wiped = None if mark is None else int(mark.split(b":")[1])
    if wiped is not None:
        bought = compacted(bought, wiped)
    full = add_purchases(data, diary, bought) if bought else 0
    live = [entry for entry in entries if wiped is None or int(entry[0]) > wiped]
    if not live:
        return 0, full
    if name:
        data.setdefault(account, {})[b"id"] = name.encode()
    due = data.setdefault(keys[3], {})
    for pane, what, delta in live:
        increment(data, spend, f"{pane}:{what}".encode(), int(delta))
        increment(data, account, _account_field(what), int(delta))
        due[ident] = min(due.get(ident, int(pane)), int(pane))
    shrunk = any(int(delta) < 0 for _, _, delta in live)
    quiet = wiped is not None and shrunk and max(int(pane) for pane, _, _ in live) <= wiped + 1
    posted = settle_tier(data, keys, ident, account, tiers, None if quiet else cause)
    forget_if_empty(data, keys, ident, account, spend, diary)
    return posted, full


def take_panes(data: Data, keys: Keys, spend: bytes, account: bytes, ident: bytes, through: int) -> None:
    """`take_panes`: the panes up to `through` leave the account."""
    earliest: int | None = None
    for field, value in list(data.get(spend, {}).items()):
        pane, what = field.decode().split(":", 1)
        if int(pane) <= through:
            increment(data, spend, field, -int(value))
            increment(data, account, _account_field(what), -int(value))
        elif earliest is None or int(pane) < earliest:
            earliest = int(pane)
    if earliest is None:
        drop(data, keys[3], ident)
    else:
        data.setdefault(keys[3], {})[ident] = earliest
