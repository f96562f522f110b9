"""The scripts of `lua/` in Python, statement for statement, over the mappings of a `MemoryStore`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stream.tables.memory_accounts import (
    Data,
    Keys,
    change_account,
    drop,
    forget_if_empty,
    increment,
    settle_tier,
    take_panes,
    take_purchases,
)
from stream.tables.memory_feedback import FEEDBACK_SCRIPTS
from stream.tables.memory_fences import fence_of as _fence_of
from stream.tables.memory_fences import refuse_owner as _refuse_owner
from stream.tables.memory_fits import FIT_SCRIPTS
from stream.tables.wire import unpack_accounts, unpack_claims, unpack_puts

Args = Sequence[Any]

_HEADER = struct.Struct(">8siI")
_ENTRY = struct.Struct(">8si")


def _claim(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, partition, orders, members = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    names = msgspec.msgpack.decode(members)
    verdicts = b""
    for order, offset, pane, live_from, number, record in unpack_claims(orders):
        claims = data.setdefault(keys[1], {})
        claim = claims.get(order)
        logged = offset in data.get(keys[4 + number], {})
        mine = claim is not None and (claim[:12] == partition + offset or logged)
        if claim is None or (not mine and int.from_bytes(claim[12:], "big", signed=True) < live_from):
            claims[order] = partition + offset + pane.to_bytes(4, "big", signed=True)
            returns = data.get(keys[3], {}).get(order)
            if returns is not None:
                record = record[:-1] + returns
                drop(data, keys[3], order)
                drop(data, keys[4], order)
            data.setdefault(keys[4 + number], {})[offset] = record
            data.setdefault(keys[2], set()).add(names[number - 1].encode())
            verdicts += b"1" if returns is None else b"2"
        elif not mine:
            verdicts += b"0"
        else:
            verdicts += b"1" if data.get(keys[4 + number], {}).get(offset, record) == record else b"2"
    return [0, verdicts]


def _apply(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, field, first, last, known, watermark, _, headers, entries, customers, tiers, cause = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    fence = _fence_of(data, keys[5], field)
    if fence < int(known):
        return [4, fence]
    if int(last) <= fence:
        return [1, fence]
    if int(first) <= fence:
        return [2, fence]
    key, at = 7, 0
    for ident, orders, partners in _HEADER.iter_unpack(headers):
        if orders:
            increment(data, keys[1], ident, orders)
        for partner, delta in _ENTRY.iter_unpack(entries[at : at + 12 * partners]):
            _zincrby(data, keys[key], partner, delta)
        at += 12 * partners
        data.pop(keys[key + 1], None)
        key += 2
    posted = full = 0
    table = msgspec.msgpack.decode(tiers)
    for customer in unpack_accounts(customers):
        messages, filled = change_account(data, keys, customer, keys[key : key + 3], table, cause)
        posted, full, key = posted + messages, full + filled, key + 3
    data.setdefault(keys[5], {})[field.encode()] = f"{last}:{watermark}".encode()
    return [0, posted, full]


def _zincrby(data: Data, key: bytes, member: bytes, delta: int) -> None:
    scores = data.setdefault(key, {})
    total = scores.get(member, 0) + delta
    if total:
        scores[member] = total
        return
    scores.pop(member, None)
    if not scores:
        del data[key]


def _sweep(data: Data, keys: Keys, args: Args) -> list[Any]:
    ident, cutoff, tiers, cause = args
    take_panes(data, keys, keys[5], keys[1], ident, int(cutoff))
    take_purchases(data, keys[6], int(cutoff))
    posted = settle_tier(data, keys, ident, keys[1], msgspec.msgpack.decode(tiers), cause)
    forget_if_empty(data, keys, ident, keys[1], keys[5], keys[6])
    return [0, posted]


def _erase_customer(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, ident, at_ms, mark, wiped, tiers = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    held = data.get(keys[6], {}).get(ident)
    if held is None or int(held.split(b":")[0]) < int(at_ms):
        held = mark.encode()
        data.setdefault(keys[6], {})[ident] = held
    take_panes(data, keys, keys[5], keys[1], ident, int(wiped))
    take_purchases(data, keys[7], int(wiped))
    drop(data, keys[2], ident)
    settle_tier(data, keys, ident, keys[1], msgspec.msgpack.decode(tiers), None)
    for field in list(data.get(keys[4], {})):
        if field.endswith(b"/" + ident):
            drop(data, keys[4], field)
    forget_if_empty(data, keys, ident, keys[1], keys[5], keys[7])
    return [0, held]


def _move_fence(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, offset, watermark, known = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    fence = _fence_of(data, keys[0], source)
    if fence < int(known):
        return [4, fence]
    if int(offset) <= fence:
        return [1, fence]
    data.setdefault(keys[0], {})[source.encode()] = f"{offset}:{watermark}".encode()
    return [0, int(offset)]


def _amend_order(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, offset, as_read, as_to_be, member = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    if member and member.encode() in data.get(keys[1], ()):
        return [5, b""]
    if data.get(keys[2], {}).get(offset) != as_read:
        return [6, b""]
    data[keys[2]][offset] = as_to_be
    return [0, b""]


def _park_return(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, order, as_read, as_to_be, pane, limit = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    parked = data.get(keys[2], {})
    if order in data.get(keys[1], {}) or parked.get(order, b"") != as_read:
        return [6, b""]
    if not as_read and len(parked) >= int(limit):
        return [7, b""]
    data.setdefault(keys[2], {})[order] = as_to_be
    waiting = data.setdefault(keys[3], {})
    waiting[order] = max(waiting.get(order, int(pane)), int(pane))
    return [0, b""]


def _give_up(data: Data, keys: Keys, args: Args) -> bytes:
    order, cutoff = args
    pane = data.get(keys[1], {}).get(order)
    if pane is None or pane > int(cutoff):
        return b""
    returns: bytes = data.get(keys[0], {}).get(order, b"")
    drop(data, keys[0], order)
    drop(data, keys[1], order)
    return returns


def _drop_if(data: Data, keys: Keys, args: Args) -> int:
    field, value = args
    if data.get(keys[0], {}).get(field) != value:
        return 0
    drop(data, keys[0], field)
    return 1


def _top_partners(data: Data, keys: Keys, args: Args) -> list[bytes]:
    answers = []
    for i, ident in enumerate(args[1:]):
        partners, packed = keys[1 + 2 * i], keys[2 + 2 * i]
        if packed not in data:
            ranked = sorted(((score, m) for m, score in data.get(partners, {}).items()), reverse=True)
            best = [(m, score) for score, m in ranked[: int(args[0])] if score > 0]
            orders = max(0, int(data.get(keys[0], {}).get(ident, b"0")))
            fresh = struct.pack(">I", orders) + b"".join(m + struct.pack(">I", s) for m, s in best)
            answers.append(fresh)
            if best:
                data[packed] = fresh
        else:
            answers.append(data[packed])
    return answers


def _put_latest(data: Data, keys: Keys, args: Args) -> list[bytes]:
    displaced = []
    for field, position, value in unpack_puts(args[0]):
        table = data.setdefault(keys[0], {})
        current = table.get(field)
        if current is None or current[:4] != position[:4] or position[4:] >= current[4:12]:
            table[field] = position + value
        displaced.append(b"" if current is None else current[12:])
    for counter in keys[1:]:
        data[counter] = str(int(data.get(counter, b"0")) + 1).encode()
    return displaced


SCRIPTS: dict[str, Callable[[Data, Keys, Args], Any]] = {
    "claim": _claim,
    "apply": _apply,
    "sweep": _sweep,
    "move_fence": _move_fence,
    "amend_order": _amend_order,
    "park_return": _park_return,
    "give_up": _give_up,
    "erase_customer": _erase_customer,
    "drop_if": _drop_if,
    "top_partners": _top_partners,
    "put_latest": _put_latest,
    **FEEDBACK_SCRIPTS,
    **FIT_SCRIPTS,
}
