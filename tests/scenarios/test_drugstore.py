"""A drugstore: what runs out at home is offered before it does, to whom it runs out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from stream.events import OrderPlaced
from tests.scenarios.events import NOW, basket, order, product
from tests.scenarios.sector import Sector, Told


def days_ago(customer: str, sku: str, *days: int) -> list[OrderPlaced]:
    """Orders of one SKU by a customer, so many days before the basket is asked about."""
    return [
        replace(order(f"{customer}:{sku}#{ago}", sku, customer_id=customer), occurred_at=NOW - timedelta(ago))
        for ago in days
    ]


SECTOR = Sector(
    "drugstore",
    products=[
        product("lens-fluid", 9_00, kind="consumable", category="optics"),
        product("toothpaste", 3_00, kind="consumable", category="teeth"),
        product("cat-litter", 8_00, kind="consumable", category="pets", in_stock=False),
        product("hair-dryer", 49_00, category="devices"),
        product("comb", 2_00, category="hair"),
    ],
    orders=[
        *days_ago("ann", "lens-fluid", 58, 38, 18),  # every 20 days: expected in 2
        *days_ago("ann", "toothpaste", 45, 25, 5),  # every 20 days: expected in 15
        *days_ago("ann", "cat-litter", 30, 20, 10),
        *days_ago("ann", "hair-dryer", 60),
        *days_ago("bob", "lens-fluid", 80, 79, 18),
        *days_ago("cleo", "lens-fluid", 80, 70, 60),  # every 10 days, then no more
    ],
    baskets=[
        basket("of-ann", ("comb", 2_00), customer_id="ann"),
        basket("of-ann-at-the-till", ("comb", 2_00), customer_id="ann", channel="pos"),
        basket("of-ann-with-fluid", ("lens-fluid", 9_00), customer_id="ann"),
        basket("of-bob", ("comb", 2_00), customer_id="bob"),
        basket("of-cleo", ("comb", 2_00), customer_id="cleo"),
        basket("anonymous", ("comb", 2_00)),
    ],
)


@pytest.mark.scenario("S36")
@pytest.mark.scenario("S15")
@pytest.mark.parametrize("name", ["of-ann", "of-ann-at-the-till"])
def test_what_runs_out_in_two_days_is_offered_with_the_customers_own_numbers(told: Told, name: str) -> None:
    [offer] = told.answers[name].offers

    assert (offer.kind, offer.sku, offer.title, offer.price) == (
        "buy_again",
        "lens-fluid",
        "Lens fluid",
        9_00,
    )
    assert offer.reason.code == "BUY_AGAIN"
    assert (offer.reason.evidence["times"], offer.reason.evidence["every_days"]) == (3, 20.0)
    # The day it was bought on began at midnight.
    since_midnight = NOW - NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    assert offer.reason.evidence["last_days_ago"] == pytest.approx(
        18 + since_midnight / timedelta(1), abs=0.0501
    )


@pytest.mark.scenario("S36")
def test_what_is_in_the_cart_or_sold_out_is_not_offered_again(told: Told) -> None:
    assert told.offered("of-ann-with-fluid") == []
    assert told.codes("of-ann-with-fluid") == {"lens-fluid": "IN_CART", "cat-litter": "OUT_OF_STOCK"}


@pytest.mark.scenario("S36")
@pytest.mark.parametrize("name", ["of-bob", "of-cleo", "anonymous"])
def test_who_has_no_rhythm_or_broke_it_is_left_alone(told: Told, name: str) -> None:
    assert told.offered(name) == []
