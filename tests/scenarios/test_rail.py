"""Rail and car rental: a service that brings another one, of its place and its date."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stream.events import Consents
from tests.scenarios.events import NOW, basket, bought, customer, order, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "rail",
    products=[
        product(
            "train-lyon-tomorrow",
            58_00,
            kind="service",
            category="tickets",
            goes_with=("car-lyon-tomorrow", "car-lyon-yesterday"),
        ),
        product(
            "car-lyon-tomorrow",
            45_00,
            kind="service",
            category="cars",
            available_until=NOW + timedelta(days=1),
        ),
        product(
            "car-lyon-yesterday",
            45_00,
            kind="service",
            category="cars",
            available_until=NOW - timedelta(days=1),
        ),
        product("car-nice-tomorrow", 45_00, kind="service", category="cars"),
        product("travel-guide", 15_00, category="books"),
    ],
    orders=[
        *bought(20, "train-lyon-tomorrow", "travel-guide"),
        *bought(20, "train-nice-tomorrow", "car-nice-tomorrow"),
        *bought(40, "coffee"),
    ],
    customers=[customer("traveller", consents=Consents(sms=True))],
    placed=[order("paid", ("train-lyon-tomorrow", 58_00), customer_id="traveller")],
    baskets=[basket("ticket", ("train-lyon-tomorrow", 58_00), channel="app")],
)


@pytest.mark.scenario("S11")
@pytest.mark.scenario("S15")
def test_a_ticket_brings_a_car_of_its_place_and_date(told: Told) -> None:
    assert told.offered("ticket")[0] == "car-lyon-tomorrow"
    assert told.codes("ticket")["car-lyon-yesterday"] == "DELISTED"
    assert "car-nice-tomorrow" not in told.offered("ticket")


@pytest.mark.scenario("S27")
def test_goods_and_services_are_offered_beside_the_ticket_before_it_is_paid(told: Told) -> None:
    assert told.offered("ticket", "cross_sell") == ["car-lyon-tomorrow", "travel-guide"]
    assert {told.product(sku).kind for sku in told.offered("ticket")} == {"service", "physical"}


@pytest.mark.scenario("S26")
def test_goods_and_services_are_cross_sold_before_and_after_the_order_alike(told: Told) -> None:
    before, after = told.answers["ticket"], told.answers["paid"]

    assert (before.timing, after.timing) == ("in_basket", "post_purchase")
    assert told.offered("ticket", "cross_sell") == told.offered("paid", "cross_sell")
    assert {told.product(sku).kind for sku in told.offered("paid")} == {"service", "physical"}
