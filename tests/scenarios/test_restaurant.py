"""A restaurant: dishes ranked by the house, without a grid of features."""

from __future__ import annotations

import pytest

from tests.scenarios.events import basket, bought, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "restaurant",
    products=[
        product("plain-risotto", 14_50, rung=("risotto", 1), category="mains"),
        product("mushroom-risotto", 14_50, rung=("risotto", 2), category="mains"),
        product("truffle-risotto", 29_00, rung=("risotto", 3), category="mains"),
        product("house-white", 6_00, kind="consumable", category="wine"),
        product("ravioli", 15_00, rung=("ravioli", 1), category="mains"),
        product("lobster-ravioli", 16_00, rung=("ravioli", 2), category="mains"),
    ],
    orders=[*bought(20, "plain-risotto", "house-white", channel="table"), *bought(40, "soup")],
    baskets=[
        basket("equal-price", ("plain-risotto", 14_50), channel="table"),
        basket("near-price", ("ravioli", 15_00), channel="table"),
    ],
)


@pytest.mark.scenario("S05")
@pytest.mark.scenario("S15")
def test_the_tastier_dish_is_offered_at_the_same_price(told: Told) -> None:
    offer = told.upsell("equal-price")

    assert (offer.sku, offer.price_step) == ("mushroom-risotto", 0)
    assert all(rung.features == {} for rung in offer.ladder)
    assert offer.reason.text == "Same price"


@pytest.mark.scenario("S05")
def test_the_tastier_dish_is_offered_for_a_little_more(told: Told) -> None:
    offer = told.upsell("near-price")

    assert (offer.sku, offer.replaces_sku, offer.price_step) == ("lobster-ravioli", "ravioli", 1_00)


@pytest.mark.scenario("S27")
def test_wine_is_offered_while_the_table_orders(told: Told) -> None:
    assert told.offered("equal-price", "cross_sell") == ["house-white"]
    assert told.answers["equal-price"].timing == "in_basket"
