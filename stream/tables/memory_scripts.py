"""The scripts of `lua/` in Python, statement for statement, over the mappings of a `MemoryStore`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stream.tables.wire import Account, unpack_accounts, unpack_claims, unpack_puts

Data = dict[bytes, Any]
Keys = Sequence[bytes]
Args = Sequence[Any]

_HEADER = struct.Struct(">8siI")
_ENTRY = struct.Struct(">8si")


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


def _refuse_owner(data: Data, keys: Keys, source: str, epoch: int) -> list[Any] | None:
    held = int(data.get(keys[0], {}).get(f"{source}/e".encode(), b"0"))
    if held > epoch:
        return [3, held]
    return [4, held] if held < epoch else None


def _fence_of(data: Data, keys: Keys, field: str) -> int:
    stored = data.get(keys[0], {}).get(field.encode())
    return -1 if stored is None else int(stored.split(b":")[0])


def _claim(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, partition, orders, members = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    names = msgspec.msgpack.decode(members)
    verdicts = b""
    for order, offset, pane, live_from, number, record in unpack_claims(orders):
        claims = data.setdefault(keys[1], {})
        claim = claims.get(order)
        mine = claim is not None and claim[:12] == partition + offset
        if claim is None or (not mine and int.from_bytes(claim[12:], "big", signed=True) < live_from):
            claims[order] = partition + offset + pane.to_bytes(4, "big", signed=True)
            data.setdefault(keys[2 + number], {})[offset] = record
            data.setdefault(keys[2], set()).add(names[number - 1].encode())
            verdicts += b"1"
        else:
            verdicts += b"1" if mine else b"0"
    return [0, verdicts]


def _apply(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, field, first, last, known, watermark, _, headers, entries, customers, tiers, cause = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    fence = _fence_of(data, keys, field)
    if fence < int(known):
        return [4, fence]
    if int(last) <= fence:
        return [1, fence]
    if int(first) <= fence:
        return [2, fence]
    key, at = 5, 0
    for ident, orders, partners in _HEADER.iter_unpack(headers):
        if orders:
            increment(data, keys[1], ident, orders)
        for partner, delta in _ENTRY.iter_unpack(entries[at : at + 12 * partners]):
            _zincrby(data, keys[key], partner, delta)
        at += 12 * partners
        data.pop(keys[key + 1], None)
        key += 2
    posted = 0
    table = msgspec.msgpack.decode(tiers)
    for customer in unpack_accounts(customers):
        posted += _change_account(data, keys, customer, keys[key], keys[key + 1], table, cause)
        key += 2
    data.setdefault(keys[0], {})[field.encode()] = f"{last}:{watermark}".encode()
    return [0, posted]


def _zincrby(data: Data, key: bytes, member: bytes, delta: int) -> None:
    scores = data.setdefault(key, {})
    total = scores.get(member, 0) + delta
    if total:
        scores[member] = total
        return
    scores.pop(member, None)
    if not scores:
        del data[key]


def _settle_tier(data: Data, keys: Keys, ident: bytes, account: bytes, tiers: Any, cause: str) -> int:
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
        data[keys[2]].pop(ident, None)
    message = msgspec.msgpack.encode([fields.get(b"id", b"").decode(), held, tier, spend])
    data.setdefault(keys[4], {})[cause.encode() + b"/" + ident] = message
    return 1


def _forget_if_empty(data: Data, keys: Keys, ident: bytes, account: bytes, spend: bytes) -> None:
    if b"orders" in data.get(account, {}) or data.get(spend):
        return
    data.pop(account, None)
    data.get(keys[2], {}).pop(ident, None)
    data.get(keys[3], {}).pop(ident, None)


def _account_field(what: str) -> bytes:
    return b"orders" if what == "o" else f"t:{what}".encode()


def _change_account(
    data: Data, keys: Keys, customer: Account, account: bytes, spend: bytes, tiers: Any, cause: str
) -> int:
    ident, name, entries = customer
    data.setdefault(account, {})[b"id"] = name.encode()
    due = data.setdefault(keys[3], {})
    for pane, what, delta in entries:
        increment(data, spend, f"{pane}:{what}".encode(), int(delta))
        increment(data, account, _account_field(what), int(delta))
        due[ident] = min(due.get(ident, int(pane)), int(pane))
    posted = _settle_tier(data, keys, ident, account, tiers, cause)
    _forget_if_empty(data, keys, ident, account, spend)
    return posted


def _sweep(data: Data, keys: Keys, args: Args) -> list[Any]:
    ident, cutoff, tiers, cause = args
    earliest: int | None = None
    for field, value in list(data.get(keys[5], {}).items()):
        pane, what = field.decode().split(":", 1)
        if int(pane) <= int(cutoff):
            increment(data, keys[5], field, -int(value))
            increment(data, keys[1], _account_field(what), -int(value))
        elif earliest is None or int(pane) < earliest:
            earliest = int(pane)
    if earliest is None:
        data.get(keys[3], {}).pop(ident, None)
    else:
        data.setdefault(keys[3], {})[ident] = earliest
    posted = _settle_tier(data, keys, ident, keys[1], msgspec.msgpack.decode(tiers), cause)
    _forget_if_empty(data, keys, ident, keys[1], keys[5])
    return [0, posted]


def _move_fence(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, offset, watermark, known = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    fence = _fence_of(data, keys, source)
    if fence < int(known):
        return [4, fence]
    if int(offset) <= fence:
        return [1, fence]
    data.setdefault(keys[0], {})[source.encode()] = f"{offset}:{watermark}".encode()
    return [0, int(offset)]


def _take_return(data: Data, keys: Keys, args: Args) -> list[Any]:
    source, epoch, offset, order_offset, as_read, as_to_be, taken, member = args
    if refusal := _refuse_owner(data, keys, source, int(epoch)):
        return refusal
    before = data.get(keys[1], {}).get(offset)
    if before is not None:
        return [0, before]
    if member.encode() in data.get(keys[2], ()):
        return [5, b""]
    if data.get(keys[3], {}).get(order_offset) != as_read:
        return [6, b""]
    data[keys[3]][order_offset] = as_to_be
    data.setdefault(keys[1], {})[offset] = taken
    return [0, taken]


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
        data.setdefault(keys[1], {})[ident] = row
        stale = data.get(keys[2], {})
        stale.pop(ident, None)
        if not stale:
            data.pop(keys[2], None)
    return 1


SCRIPTS: dict[str, Callable[[Data, Keys, Args], Any]] = {
    "claim": _claim,
    "apply": _apply,
    "sweep": _sweep,
    "move_fence": _move_fence,
    "take_return": _take_return,
    "top_partners": _top_partners,
    "put_latest": _put_latest,
    "lease": _lease,
    "put_fits": _put_fits,
}
