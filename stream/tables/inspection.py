"""A look inside: sizes by family, one SKU, one customer."""

from __future__ import annotations

from typing import Any

from stream.tables.dump import READ_KEYS, Row, scan
from stream.tables.ids import customer_id, sku_id, tag_of
from stream.tables.tables import Tables

_SIZE_VERBS = {
    "co": "ZCARD",
    "due": "ZCARD",
    "stale": "ZCARD",
    "panes": "SCARD",
    "closed": "SCARD",
    "range": "SCARD",
    "top": "STRLEN",
    "version": "STRLEN",
}


async def stats(tables: Tables) -> dict[str, dict[str, int]]:
    """Keys, entries and bytes (`MEMORY USAGE`) of each family of keys."""
    result = {}
    for family, found in sorted((await scan(tables)).items()):
        keys = [key for _, _, key in found]
        entries = await _sum(tables, [(_SIZE_VERBS.get(family, "HLEN"), key) for key in keys])
        size = await _sum(tables, [("MEMORY", "USAGE", key, "SAMPLES", 0) for key in keys])
        result[family or "layout"] = {"keys": len(keys), "entries": entries, "bytes": size}
    return result


async def _sum(tables: Tables, commands: list[tuple[Any, ...]]) -> int:
    total = 0
    for start in range(0, len(commands), READ_KEYS):
        answers = await tables.store.commands(commands[start : start + READ_KEYS])
        total += sum(int(answer or 0) for answer in answers)
    return total


async def inspect_sku(tables: Tables, sku: str) -> Row:
    """What the tables hold of a SKU: orders, partners by count, catalogue event."""
    ident = sku_id(sku)
    tag = tag_of(ident, tables.layout.tags)
    orders, partners = await tables.store.commands(
        [
            ("HGET", tables.keys.order_counts(tag), ident),
            ("ZRANGE", tables.keys.partners(tag, ident), 0, -1, "WITHSCORES"),
        ]
    )
    names = await tables.dictionary.names(partners[::2])
    ranked = sorted(
        ((names.get(i, i.hex()), int(count)) for i, count in zip(partners[::2], partners[1::2], strict=True)),
        key=lambda pair: (-pair[1], pair[0]),
    )
    product = (await tables.catalogue.products([ident]))[0]
    return {
        "sku": sku,
        "tag": tag,
        "orders": int(orders or 0),
        "partners": [{"sku": partner, "count": count} for partner, count in ranked],
        "catalogue": None if product is None else ("delisted" if not product else product.decode()),
    }


async def inspect_customer(tables: Tables, name: str) -> Row | None:
    """What the tables hold of a customer: account by pane, tier, profile; None when nothing."""
    ident = customer_id(name)
    tag = tag_of(ident, tables.layout.tags)
    account, panes = await tables.store.commands(
        [("HGETALL", tables.keys.customer(tag, ident)), ("HGETALL", tables.keys.spend(tag, ident))]
    )
    known = (await tables.customers.known([name]))[name]
    if not account and known.profile is None:
        return None
    fields = dict(zip(account[::2], account[1::2], strict=True))
    return {
        "customer_id": name,
        "tag": tag,
        "orders": int(fields.get(b"orders", 0)),
        "spend": {f[2:].decode(): int(v) for f, v in sorted(fields.items()) if f.startswith(b"t:")},
        "panes": {f.decode(): int(v) for f, v in sorted(zip(panes[::2], panes[1::2], strict=True))},
        "tier": known.tier,
        "profile": known.profile,
    }
