"""The tables as rows: what `tables dump` prints and what a recount is compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any

from stream.tables.acceptance import ACTIONS
from stream.tables.diary import is_full, sums
from stream.tables.ids import SKU_BYTES
from stream.tables.order_record import split, unpack
from stream.tables.store import Command
from stream.tables.tables import Tables

Row = dict[str, Any]
READ_KEYS = 200
"""Keys read in one round trip."""


async def scan(tables: Tables) -> dict[str, list[tuple[int, str, bytes]]]:
    """All keys of the namespace by family, as (tag, rest, key)."""
    families: defaultdict[str, list[tuple[int, str, bytes]]] = defaultdict(list)
    cursor: Any = 0
    while True:
        command: Command = ("SCAN", cursor, "MATCH", tables.keys.everything(), "COUNT", 1_000)
        cursor, keys = (await tables.store.commands([command]))[0]
        for key in keys:
            tag, family, rest = tables.keys.parse(key)
            families[family].append((tag, rest, key))
        if int(cursor) == 0:
            return {family: sorted(set(found)) for family, found in families.items()}


async def dump_rows(tables: Tables) -> AsyncIterator[Row]:
    """Every row in canonical order: by table, then by the row's ids.

    Counts of zero and orders whose every piece came back are not rows; every customer has a diary, be it empty.
    What is read while orders flow is not one moment's state; stop the workers, or compare at rest.
    """
    families = await scan(tables)
    for rows in (
        _acceptance(tables),
        _co_purchases(tables, families.get("co", [])),
        _customers(tables, families.get("customer", [])),
        _diaries(tables, families.get("customer", []), families.get("diary", [])),
        _orders(tables, families.get("pane", [])),
        _order_counts(tables, families.get("orders", [])),
    ):
        async for row in rows:
            yield row


async def _read(
    tables: Tables, verb: str, keys: Iterable[bytes], *args: Any
) -> AsyncIterator[tuple[bytes, Any]]:
    """Each key with its answer to `verb`."""
    pending = list(keys)
    for start in range(0, len(pending), READ_KEYS):
        some = pending[start : start + READ_KEYS]
        answers = await tables.store.commands([(verb, key, *args) for key in some])
        for key, answer in zip(some, answers, strict=True):
            yield key, answer


async def _acceptance(tables: Tables) -> AsyncIterator[Row]:
    feedback = (await tables.acceptance.read()).feedback
    words = {letter: action for action, letter in ACTIONS.items()}
    for pane in sorted(feedback):
        rows = [(field[1:], words[field[0]], count) for field, count in feedback[pane][1].items()]
        for token, action, count in sorted(rows):
            yield {"table": "acceptance", "pane": pane, "token": token, "action": action, "count": count}


async def _co_purchases(tables: Tables, found: list[tuple[int, str, bytes]]) -> AsyncIterator[Row]:
    names = await tables.dictionary.names([bytes.fromhex(rest) for _, rest, _ in found])
    by_sku = sorted((names.get(bytes.fromhex(rest), rest), key) for _, rest, key in found)
    skus = {key: sku for sku, key in by_sku}
    async for key, answer in _read(tables, "ZRANGE", (key for _, key in by_sku), 0, -1, "WITHSCORES"):
        partners = await tables.dictionary.names(answer[::2])
        counts = {
            partners.get(ident, ident.hex()): int(count)
            for ident, count in zip(answer[::2], answer[1::2], strict=True)
        }
        for partner, count in sorted(counts.items()):
            yield {"table": "co_purchase", "sku": skus[key], "partner": partner, "count": count}


async def _customers(tables: Tables, found: list[tuple[int, str, bytes]]) -> AsyncIterator[Row]:
    accounts = []
    async for _, answer in _read(tables, "HGETALL", (key for _, _, key in found)):
        fields = dict(zip(answer[::2], answer[1::2], strict=True))
        spend = {f[2:].decode(): int(v) for f, v in sorted(fields.items()) if f.startswith(b"t:")}
        accounts.append((fields[b"id"].decode(), int(fields.get(b"orders", 0)), spend))
    accounts.sort(key=lambda account: account[0])
    positions = await tables.customers.earned_tiers([name for name, _, _ in accounts])
    for name, orders, spend in accounts:
        yield {
            "table": "customer",
            "customer_id": name,
            "orders": orders,
            "spend": spend,
            "tier": positions[name],
        }


async def _diaries(
    tables: Tables, customers: list[tuple[int, str, bytes]], found: list[tuple[int, str, bytes]]
) -> AsyncIterator[Row]:
    """What each customer bought, None where it was more than a diary holds; one that is nobody's bears its digest."""
    names: dict[str, str] = {}
    of_key = {key: rest for _, rest, key in customers}
    async for key, answer in _read(tables, "HGET", of_key, "id"):
        names[of_key[key]] = of_key[key] if answer is None else answer.decode()
    held = dict.fromkeys(names, b"")
    of_key = {key: rest for _, rest, key in found}
    async for key, answer in _read(tables, "GET", of_key):
        held[of_key[key]] = answer
    for rest in sorted(held, key=lambda rest: names.get(rest, rest)):
        raw = held[rest]
        yield {
            "table": "diary",
            "customer_id": names.get(rest, rest),
            "purchases": None if is_full(raw) else await purchase_rows(tables, raw),
        }


async def purchase_rows(tables: Tables, raw: bytes) -> list[list[str | int]]:
    """The [SKU, pane, times] of a diary, sorted."""
    bought = sums(raw)
    skus = await tables.dictionary.names(sorted({each[:SKU_BYTES] for each in bought}))
    return sorted(
        [
            skus.get(each[:SKU_BYTES], each[:SKU_BYTES].hex()),
            int.from_bytes(each[SKU_BYTES:], "big", signed=True),
            times,
        ]
        for each, times in bought.items()
    )


async def _orders(tables: Tables, found: list[tuple[int, str, bytes]]) -> AsyncIterator[Row]:
    rows = []
    closed: set[str] = set()
    async for _, members in _read(tables, "SMEMBERS", map(tables.keys.closed, range(tables.layout.tags))):
        closed.update(member.decode() for member in members)
    panes = {key: int(rest.split(":")[1]) for _, rest, key in found if rest not in closed}
    async for key, answer in _read(tables, "HGETALL", panes):
        for raw in answer[1::2]:
            record = unpack(raw)
            left = split(record.left.counted)
            names = await tables.dictionary.names(left)
            skus = sorted(names.get(ident, ident.hex()) for ident in left)
            if skus:
                rows.append({"table": "order", "order_id": record.order_id, "pane": panes[key], "skus": skus})
    for row in sorted(rows, key=lambda row: (row["order_id"], row["pane"])):
        yield row


async def _order_counts(tables: Tables, found: list[tuple[int, str, bytes]]) -> AsyncIterator[Row]:
    counts = {}
    async for _, answer in _read(tables, "HGETALL", (key for _, _, key in found)):
        names = await tables.dictionary.names(answer[::2])
        for ident, orders in zip(answer[::2], answer[1::2], strict=True):
            if any(ident):
                counts[names.get(ident, ident.hex())] = int(orders)
    for sku, count in sorted(counts.items()):
        yield {"table": "order_count", "sku": sku, "count": count}
