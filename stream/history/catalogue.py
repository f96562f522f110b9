"""The catalogue of a history: products, their ranges, and the file format they come in.

`{"sku":..,"title":..,"category":..|[..]|null,"range":..|{"id":..,"rung":..}|null,"price":..|null}`. Optional:
`kind`, `cost`, `features`, `complements`, `after_purchase` as in product-updated. Others become features.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.events import AfterPurchase, Complement, FeatureValue, Range
from stream.fields import Id
from stream.history.files import bad_row, read_rows
from stream.history.orders import Key

MAX_RUNG = 1_000

Kind = Literal["physical", "consumable", "service", "subscription"]


class CatalogItem(Struct, frozen=True, kw_only=True):
    """A product; `price` and `cost` are decimals, `category` goes from wide to narrow.

    `rung` is its place in the range `range_id`; None when the source names the range alone.
    """

    sku: str
    title: str
    category: tuple[str, ...] = ()
    price: Decimal | None = None
    kind: Kind = "physical"
    range_id: str | None = None
    rung: int | None = None
    cost: Decimal | None = None
    features: dict[str, FeatureValue] = {}
    complements: tuple[Complement, ...] = ()
    after_purchase: tuple[AfterPurchase, ...] = ()


class _Row(Struct):
    sku: Key
    title: str | None = None
    category: str | list[str] | None = None
    range: Range | Id | None = None
    price: Decimal | None = None
    kind: Kind = "physical"
    cost: Decimal | None = None
    features: dict[str, FeatureValue] = {}
    complements: list[Complement] = []
    after_purchase: list[AfterPurchase] = []


_FIELDS = frozenset(_Row.__struct_fields__)
_decode = msgspec.json.Decoder(_Row).decode
_decode_all = msgspec.json.Decoder(dict[str, Any]).decode


def read_catalog(path: Path) -> list[CatalogItem]:
    """The products of a file, gzip or plain JSON Lines or Parquet, each with its rung.

    Raises OperatorError naming file and line at the first line that is not a product, or that repeats a SKU.
    """
    items: dict[str, CatalogItem] = {}
    for number, raw in read_rows(path):
        try:
            item = _item(_decode(raw), _decode_all(raw))
        except (msgspec.MsgspecError, ValueError) as exc:
            raise bad_row(path, number, exc) from exc
        if item.sku in items:
            raise bad_row(path, number, f"the SKU {item.sku!r} stands in an earlier line too")
        items[item.sku] = item
    return with_rungs(items.values())


def with_rungs(items: Iterable[CatalogItem]) -> list[CatalogItem]:
    """The items, a rung given to each that names a range but no rung: the rank of its price in the range.

    Equal prices share a rung, the lowest is 1. A member without a price has no place and leaves the range.
    """
    kept = list(items)
    prices: defaultdict[str, set[Decimal]] = defaultdict(set)
    for item in kept:
        if item.range_id is not None and item.price is not None:
            prices[item.range_id].add(item.price)
    ranks = {
        name: {price: min(rank, MAX_RUNG) for rank, price in enumerate(sorted(found), 1)}
        for name, found in prices.items()
    }
    return [_placed(item, ranks) for item in kept]


def _placed(item: CatalogItem, ranks: dict[str, dict[Decimal, int]]) -> CatalogItem:
    if item.range_id is None or item.rung is not None:
        return item
    if item.price is None:
        return replace(item, range_id=None)
    return replace(item, rung=ranks[item.range_id][item.price])


def _item(row: _Row, everything: dict[str, Any]) -> CatalogItem:
    for price in (row.price, row.cost):
        if price is not None and (not price.is_finite() or price < 0):
            raise ValueError(f"the price {price} is below 0 or not a number")
    others = {
        name: value
        for name, value in everything.items()
        if name not in _FIELDS and isinstance(value, bool | int | float | str)
    }
    category = row.category or []
    in_range = row.range if isinstance(row.range, Range) else None
    return CatalogItem(
        sku=str(row.sku),
        title=row.title or str(row.sku),
        category=(category,) if isinstance(category, str) else tuple(category),
        price=row.price,
        kind=row.kind,
        range_id=in_range.id if in_range else row.range,  # type: ignore[arg-type]
        rung=in_range.rung if in_range else None,
        cost=row.cost,
        features={**others, **row.features},
        complements=tuple(row.complements),
        after_purchase=tuple(row.after_purchase),
    )
