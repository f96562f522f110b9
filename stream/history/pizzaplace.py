"""A year of a pizza place (package great_tables): synthetic, every pizza a ladder of sizes, no customers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby, islice
from pathlib import Path

from stream.errors import OperatorError
from stream.history.catalogue import CatalogItem
from stream.history.datasets import History
from stream.history.orders import Order, OrderItem, in_utc

SIZES = ("S", "M", "L", "XL", "XXL")
"""The rungs of every pizza, lowest first."""

_Row = dict[str, str]


def load_pizza_place(path: Path, orders: int | None) -> History:
    """The first `orders` orders (None: all) and the whole menu; each pizza ordered is a line of one piece."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as exc:
        raise OperatorError(
            f"The installed great_tables has no pizzaplace data: {exc}", "pip install 'great-tables>=1.0'"
        ) from exc
    return History("pizzaplace", "USD", _menu(rows), lambda: islice(_orders(rows), orders))


def _orders(rows: list[_Row]) -> Iterator[Order]:
    for order_id, lines in groupby(rows, key=lambda row: row["id"]):
        pizzas = list(lines)
        yield Order(
            order_id=order_id,
            customer_id=None,
            at=in_utc(f"{pizzas[0]['date']}T{pizzas[0]['time']}"),
            channel="store",
            items=tuple(OrderItem(_sku(row), 1, Decimal(row["price"])) for row in pizzas),
        )


def _menu(rows: list[_Row]) -> list[CatalogItem]:
    """One product a pizza and size, at its highest recorded price."""
    pizzas: dict[str, CatalogItem] = {}
    for row in rows:
        sku, price = _sku(row), Decimal(row["price"])
        known = pizzas.get(sku)
        if known is None or known.price is None or known.price < price:
            pizzas[sku] = CatalogItem(
                sku=sku,
                title=f"{row['name'].replace('_', ' ').title()} {row['size']}",
                category=("pizza", row["type"]),
                price=price,
                kind="consumable",
                range_id=row["name"],
                rung=SIZES.index(row["size"]) + 1,
                features={"size": row["size"]},
            )
    return [pizzas[sku] for sku in sorted(pizzas)]


def _sku(row: _Row) -> str:
    return f"{row['name']}-{row['size']}"
