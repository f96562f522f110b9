"""A look inside: sizes by family, one SKU, one customer."""

from __future__ import annotations

from typing import Any

from stream.tables.diary import is_full
from stream.tables.dump import READ_KEYS, Row, purchase_rows, scan
from stream.tables.ids import customer_id, sku_id, tag_of
from stream.tables.tables import Tables

_SIZE_VERBS = {
    "co": "ZCARD",
    "due": "ZCARD",
    "dismissals": "ZCARD",
    "dismissing": "SCARD",
    "heard": "ZCARD",
    "stale": "ZCARD",
    "waiting": "ZCARD",
    "panes": "SCARD",
    "closed": "SCARD",
    "unguarded": "SCARD",
    "range": "SCARD",
    "top": "STRLEN",
    "version": "STRLEN",
    "diary": "STRLEN",
}


MOST_MEASURED = 2_000
"""Keys of a family whose bytes are asked for; of more, evenly spread ones are, the rest is taken to be like them."""
PACKED_ENTRIES = 128
"""Entries up to which Redis packs a sorted set (`zset-max-listpack-entries`); a longer one costs several times more."""
_OF_EACH = {
    "pair": ("co", "entries", ("co",)),
    "customer": ("customer", "keys", ("customer", "spend", "tiers", "due", "profiles")),
    "diary": ("diary", "keys", ("diary",)),
    "order": ("pane", "entries", ("pane", "claims")),
    "sku": ("skus", "entries", ("skus", "orders")),
}


async def stats(tables: Tables) -> dict[str, dict[str, int]]:
    """Keys, entries and bytes (`MEMORY USAGE`) of each family of keys."""
    result = {}
    for family, found in sorted((await scan(tables)).items()):
        keys = [key for _, _, key in found]
        entries = sum(await _numbers(tables, [(_SIZE_VERBS.get(family, "HLEN"), key) for key in keys]))
        measured = keys[:: -(-len(keys) // MOST_MEASURED)]
        sizes = await _numbers(tables, [("MEMORY", "USAGE", key, "SAMPLES", 0) for key in measured])
        size = round(sum(sizes) * len(keys) / len(measured))
        result[family or "layout"] = {"keys": len(keys), "entries": entries, "bytes": size}
    return result


def bytes_each(found: dict[str, dict[str, int]]) -> dict[str, float]:
    """Bytes of a pair (one direction), a customer, an order and a SKU; what there is none of is left out."""
    costs = {}
    for what, (counted, by, families) in _OF_EACH.items():
        number = found.get(counted, {}).get(by, 0)
        if number:
            costs[what] = round(sum(found.get(f, {}).get("bytes", 0) for f in families) / number, 1)
    return costs


async def long_lists(tables: Tables) -> dict[str, int]:
    """How many partner lists there are, how many are too long to be packed, and how many pairs stand in those."""
    keys = [key for _, _, key in (await scan(tables)).get("co", [])]
    lengths = await _numbers(tables, [("ZCARD", key) for key in keys])
    long = [length for length in lengths if length > PACKED_ENTRIES]
    return {"partner_lists": len(keys), "long": len(long), "pairs_in_long": sum(long)}


async def _numbers(tables: Tables, commands: list[tuple[Any, ...]]) -> list[int]:
    numbers: list[int] = []
    for start in range(0, len(commands), READ_KEYS):
        answers = await tables.store.commands(commands[start : start + READ_KEYS])
        numbers += [int(answer or 0) for answer in answers]
    return numbers


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
    """What the tables hold of a customer: account by pane, purchases, tier, profile; None when nothing."""
    ident = customer_id(name)
    tag = tag_of(ident, tables.layout.tags)
    account, panes, diary = await tables.store.commands(
        [
            ("HGETALL", tables.keys.customer(tag, ident)),
            ("HGETALL", tables.keys.spend(tag, ident)),
            ("GET", tables.keys.diary(tag, ident)),
        ]
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
        "purchases": None if is_full(diary or b"") else await purchase_rows(tables, diary or b""),
        "tier": known.tier,
        "profile": known.profile,
    }
