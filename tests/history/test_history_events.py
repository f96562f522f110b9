"""The events of an order: snapshots line by line, exact money, stable ids."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import decode, encode
from stream.errors import OperatorError
from stream.events import BasketUpdated, Limits, Line, OrderPlaced, ProductUpdated, Range
from stream.history.catalogue import CatalogItem
from stream.history.events import basket_events, order_event, product_event
from stream.history.money import minor_units
from stream.history.orders import Order, OrderItem

AT = datetime(2017, 1, 1, 12, tzinfo=UTC)


def order(*items: OrderItem) -> Order:
    return Order("o-1", "c-1", AT, "store", items, store_id="s-1")


def item(sku: str, quantity: int = 1, price: str | None = "2.55") -> OrderItem:
    return OrderItem(sku, quantity, None if price is None else Decimal(price))


def test_each_added_line_is_one_full_snapshot() -> None:
    events = basket_events(order(item("a"), item("b", 2), item("a")), "EUR", limits=Limits(max_offers=10))

    assert [[line.sku for line in event.lines] for event in events] == [["a"], ["a", "b"], ["a", "b", "a"]]
    assert [event.version for event in events] == [1, 2, 3]
    assert all(event.limits == Limits(max_offers=10) for event in events)


def test_the_order_has_the_lines_of_its_last_basket() -> None:
    paid = order_event(order(item("a"), item("b", 2)), "EUR")
    last = basket_events(order(item("a"), item("b", 2)), "EUR")[-1]

    assert [(line.sku, line.quantity, line.unit_price) for line in paid.lines] == [
        (line.sku, line.quantity, line.unit_price) for line in last.lines
    ]
    assert paid.order_id == paid.basket_id == last.basket_id


def test_a_monster_quantity_is_several_lines_of_one_snapshot() -> None:
    [event] = basket_events(order(item("a", 25_000)), "EUR")

    assert event.lines == [Line("a", 10_000, 255), Line("a", 10_000, 255), Line("a", 5_000, 255)]


def test_an_unknown_price_is_zero() -> None:
    assert order_event(order(item("a", price=None)), "EUR").lines[0].unit_price == 0


def test_ids_are_the_same_at_every_replay_and_different_for_each_event() -> None:
    def ids() -> list[str]:
        one = order(item("a"), item("b"))
        return [e.event_id for e in basket_events(one, "EUR")] + [order_event(one, "EUR").event_id]

    assert ids() == ids()
    assert len(set(ids())) == 3


def test_events_read_back_as_what_they_were() -> None:
    one = order(item("a", 3))
    product = CatalogItem(sku="a", title="A" * 600, range_id="r", rung=2, price=Decimal("9.99"))

    for event in (*basket_events(one, "EUR"), order_event(one, "EUR"), product_event(product, "EUR", AT)):
        assert decode(type(event), encode(event)) == event
    assert isinstance(order_event(one, "EUR"), OrderPlaced)
    assert isinstance(basket_events(one, "EUR")[0], BasketUpdated)


def test_a_product_carries_its_place_in_the_range() -> None:
    with_rung = CatalogItem(sku="a", title="A", range_id="r", rung=2, price=Decimal("9.99"))
    without = CatalogItem(sku="a", title="A", range_id="r")

    assert product_event(with_rung, "EUR", AT).range == Range("r", 2)
    assert product_event(with_rung, "EUR", AT).price == 999
    assert product_event(without, "EUR", AT).range is None
    assert isinstance(product_event(without, "EUR", AT), ProductUpdated)


def test_an_order_no_event_can_hold_says_which_it_is() -> None:
    with pytest.raises(OperatorError, match="o-1 makes 2001 lines"):
        basket_events(order(*(item(str(n)) for n in range(2_001))), "EUR")
    with pytest.raises(OperatorError, match="o-1"):
        order_event(order(item("a", price="1e15")), "EUR")


@given(st.integers(0, 10**12), st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]))
def test_whole_minor_units_are_exact(amount: int, currency: tuple[str, int]) -> None:
    name, places = currency

    assert minor_units(Decimal(amount).scaleb(-places), name) == amount


@pytest.mark.parametrize(
    ("price", "cents"), [("0.125", 12), ("0.135", 14), ("699.0982", 69910), ("0.004", 0)]
)
def test_halves_round_to_even(price: str, cents: int) -> None:
    assert minor_units(Decimal(price), "EUR") == cents


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity", "1e11"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="price"):
        minor_units(Decimal(price), "EUR")
