"""What accepted offers add to basket value, units, value and margin a unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from stream.events import OrderLine, OrderPlaced
from stream.ledger.reckoning import Account, Figures, Ledger, Sold
from stream.suggestion import Offer, Reason

WHY = Reason("CO_PURCHASE", {}, "")
COSTS = {("pc-600", "EUR"): 500_00, ("pc-900", "EUR"): 700_00, ("case", "EUR"): 10_00}
UPSELL = Sold(
    Offer("o", "upsell", "pc-900", 1.0, WHY, price=900_00, replaces_sku="pc-600", price_step=300_00),
    "in_basket",
)


def cross_sell(sku: str, timing: Literal["in_basket", "post_purchase"] = "in_basket") -> Sold:
    return Sold(Offer("o", "cross_sell", sku, 1.0, WHY), timing)


def order(name: str, *lines: tuple[str, int] | tuple[str, int, str], **more: Any) -> OrderPlaced:
    """An order of one piece each: (SKU, price) or (SKU, price, suggestion)."""
    said = {"channel": "web", "currency": "EUR", **more}
    return OrderPlaced(
        event_id=name,
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        order_id=name,
        lines=[OrderLine(sku, 1, price, *named) for sku, price, *named in lines],
        **said,
    )


def account(*orders: OrderPlaced, **sold: Sold) -> Account:
    """The one account of some orders; `sold` by suggestion."""
    ledger = Ledger({(name, one.offer.sku): one for name, one in sold.items()}, COSTS)
    for one in orders:
        ledger.add(one)
    [found] = ledger.accounts()
    return found


def test_without_offers_the_figures_are_averages() -> None:
    found = account(order("1", ("pc-600", 600_00)), order("2", ("pc-900", 900_00), ("tea", 3_00)))

    assert found.figures == Figures(751_50.0, 1.5, 501_00.0, 150_00.0)
    assert (found.orders, found.units, found.revenue, found.added) == (2, 3, 1503_00, {})


def test_an_upsell_adds_value_and_margin_and_no_unit() -> None:
    found = account(order("1", ("pc-900", 900_00, "s")), s=UPSELL).added["upsell"]

    assert (found.lines, found.units, found.revenue, found.margin) == (1, 0, 300_00, 100_00)
    assert found.figures == Figures(300_00.0, 0.0, 300_00.0, 100_00.0)


def test_an_upsell_from_a_product_of_unknown_cost_adds_no_margin_that_could_be_told() -> None:
    ledger = Ledger({("s", "pc-900"): UPSELL}, {("pc-900", "EUR"): 700_00})
    ledger.add(order("1", ("pc-900", 900_00, "s")))
    [found] = ledger.accounts()

    assert (found.added["upsell"].revenue, found.added["upsell"].margin) == (300_00, 0)
    assert found.added["upsell"].figures.margin_a_unit == 0.0


def test_a_cross_sell_adds_a_unit_and_its_revenue() -> None:
    found = account(order("1", ("pc-600", 600_00), ("case", 40_00, "s")), s=cross_sell("case"))

    added = found.added["cross_sell"]
    assert (added.lines, added.units, added.revenue, added.margin) == (1, 1, 40_00, 30_00)
    assert (added.figures.average_basket_value, added.figures.units_an_order) == (40_00.0, 1.0)


def test_a_discount_on_what_was_offered_lowers_what_the_upsell_added() -> None:
    found = account(order("1", ("pc-900", 850_00, "s")), s=UPSELL).added["upsell"]

    assert (found.revenue, found.margin) == (250_00, 50_00)


@pytest.mark.parametrize("beside", [True, False])
def test_what_is_sold_after_a_purchase_raises_revenue_and_never_the_basket_value(beside: bool) -> None:
    offer = cross_sell("case", "post_purchase")
    first, later = order("1", ("pc-600", 600_00)), ("case", 40_00, "s")
    orders = [order("1", ("pc-600", 600_00), later)] if beside else [first, order("2", later)]

    found = account(*orders, s=offer)

    assert found.figures == account(first).figures
    assert (found.orders, found.revenue) == (1, 640_00)
    assert (found.revenue_after_purchase, found.margin_after_purchase) == (40_00, 30_00)
    assert found.added == {}


def test_an_order_counts_once_and_a_suggestion_nobody_knows_is_told() -> None:
    found = account(order("1", ("tea", 3_00, "gone")), order("1", ("tea", 3_00, "gone")))

    assert (found.orders, found.unknown_lines, found.added) == (1, 1, {})


def test_a_line_that_names_a_suggestion_without_its_sku_was_not_sold_by_it() -> None:
    found = account(order("1", ("tea", 3_00, "s")), s=cross_sell("case"))

    assert (found.unknown_lines, found.added) == (1, {})


def test_channels_and_currencies_have_accounts_of_their_own() -> None:
    ledger = Ledger({}, {})
    ledger.add(order("1", ("tea", 3_00)))
    ledger.add(order("2", ("tea", 4_00), channel="till"))
    ledger.add(order("3", ("tea", 5_00), currency="USD"))

    assert [(a.currency, a.channel, a.revenue) for a in ledger.accounts()] == [
        ("EUR", "till", 4_00),
        ("EUR", "web", 3_00),
        ("USD", "web", 5_00),
    ]
