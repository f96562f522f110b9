"""Histories by name: loaded from installed packages without the network, and from files."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from stream.errors import OperatorError
from stream.history.catalogue import CatalogItem
from stream.history.datasets import History, load_history, package_folder
from stream.history.package_size import package_size
from stream.history.product_lines import sizes_as_ladders


@pytest.fixture(scope="module", name="grocer")
def _grocer() -> History:
    return load_history("completejourney", orders=2_000)


def test_complete_journey_gives_orders_of_households_in_the_order_of_time(grocer: History) -> None:
    orders = list(grocer.orders())

    assert len({order.order_id for order in orders}) == 2_000
    assert orders == sorted(orders, key=lambda order: order.at)
    assert all(order.customer_id and order.items for order in orders)
    assert orders == list(grocer.orders())
    assert grocer.currency == "USD"


def test_complete_journey_prices_are_what_was_paid_for_a_piece(grocer: History) -> None:
    first = [item for order in islice(grocer.orders(), 5) for item in order.items]

    # The fifth line of the source: two pieces for 2.78.
    [two] = [item for item in first if item.sku == "1053875" and item.quantity == 2]
    assert two.unit_price == Decimal("1.39")


def test_complete_journey_knows_the_products_and_their_whole_ranges(grocer: History) -> None:
    known = {item.sku: item for item in grocer.catalogue}
    sold = {item.sku for order in grocer.orders() for item in order.items}

    assert len(sold - known.keys()) < len(sold) / 100
    ladder = sorted((i for i in known.values() if i.range_id), key=lambda i: (i.range_id or "", i.rung or 0))
    assert ladder
    assert all(item.rung and item.price is not None for item in ladder)


def test_complete_journey_counts_fuel_as_one_piece(grocer: History) -> None:
    fuel = {item.sku for item in grocer.catalogue if item.category[:1] == ("FUEL",)}
    sold = [item for order in grocer.orders() for item in order.items if item.sku in fuel]

    assert sold
    assert all(item.quantity == 1 and item.unit_price and item.unit_price > 1 for item in sold)


def test_every_pizza_is_a_ladder_of_sizes() -> None:
    history = load_history("pizzaplace", orders=3)
    greek = sorted((i for i in history.catalogue if i.range_id == "the_greek"), key=lambda i: i.rung or 0)

    assert [item.features["size"] for item in greek] == ["S", "M", "L", "XL", "XXL"]
    prices = [item.price for item in greek if item.price]
    assert prices == sorted(prices)
    assert [len(order.items) for order in history.orders()] == [1, 5, 2]


def write_orders(folder: Path) -> Path:
    row = {"order_id": "1", "ts": "2020-01-01T00:00:00", "items": [{"sku": "a", "qty": 1}]}
    path = folder / "orders.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "order_id": "2"}) + "\n")
    return path


def test_a_file_takes_the_catalogue_beside_it(tmp_path: Path) -> None:
    path = write_orders(tmp_path)
    (tmp_path / "catalog.jsonl").write_text('{"sku": "a", "title": "A"}\n')

    history = load_history(str(path), orders=1, currency="GBP")

    assert [order.order_id for order in history.orders()] == ["1"]
    assert [item.title for item in history.catalogue] == ["A"]
    assert history.currency == "GBP"


def test_a_catalogue_that_is_named_goes_before_the_one_beside(tmp_path: Path) -> None:
    path = write_orders(tmp_path)
    (tmp_path / "catalog.jsonl").write_text("not even read\n")
    named = tmp_path / "mine.jsonl"
    named.write_text('{"sku": "a", "title": "Mine"}\n')

    assert [i.title for i in load_history(str(path), catalog=named).catalogue] == ["Mine"]


def test_a_file_without_a_catalogue_is_a_history_too(tmp_path: Path) -> None:
    history = load_history(str(write_orders(tmp_path)))

    assert list(history.catalogue) == []
    assert len(list(history.orders())) == 2


def test_an_unknown_name_and_a_missing_package_say_what_to_do() -> None:
    with pytest.raises(OperatorError, match="completejourney, pizzaplace"):
        load_history("nosuch")
    with pytest.raises(OperatorError, match=r"basketstream\[demo\]"):
        package_folder("no_such_package")


def test_the_currency_of_a_named_history_cannot_be_changed() -> None:
    with pytest.raises(OperatorError, match="in USD, not EUR"):
        load_history("pizzaplace", orders=1, currency="EUR")


def product(number: int, price: str) -> CatalogItem:
    return CatalogItem(sku=str(number), title="", price=Decimal(price))


def test_sizes_are_a_ladder_only_where_the_price_rises_with_the_size() -> None:
    items = {1: product(1, "1.00"), 2: product(2, "2.00"), 3: product(3, "0.50"), 4: product(4, "1.50")}

    rising = sizes_as_ladders(items, {1: ("milk", "1 LB"), 2: ("milk", "32 OZ"), 4: ("milk", "24 OZ")})
    falling = sizes_as_ladders(items, {1: ("milk", "8 OZ"), 3: ("milk", "16 OZ")})
    other_unit = sizes_as_ladders(items, {1: ("milk", "8 OZ"), 2: ("milk", "16 CT")})

    assert {n: item.rung for n, item in rising.items()} == {1: 1, 2: 3, 3: None, 4: 2}
    assert rising[1].range_id == rising[2].range_id == "milk/OZ"
    assert falling == items
    assert other_unit == items


@pytest.mark.parametrize("text", [None, "", "CTN", "2 PK/2.5 OZ", "4 1/2 OZ", "0 OZ", "OZ"])
def test_what_is_not_plainly_a_size_is_none(text: str | None) -> None:
    assert package_size(text) is None
