"""Cosmetics: complements of one department, customers with preferences and without a name."""

from __future__ import annotations

import pytest

from stream.events import Preferences
from tests.scenarios.events import basket, bought, customer, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "cosmetics",
    products=[
        product("moisturiser", 24_00, category="skin care"),
        product("cleanser", 16_00, category="skin care"),
        product("perfume", 70_00, category="perfume"),
        product("hand-soap", 4_00, category="soap"),
    ],
    orders=[
        *bought(30, "moisturiser", "cleanser"),
        *bought(20, "moisturiser", "perfume"),
        *bought(2, "hand-soap", "cleanser"),
        *bought(60, "cotton-pads"),
    ],
    customers=[
        customer("ada", tier_override="gold", preferences=Preferences(excluded_categories=["perfume"]))
    ],
    baskets=[
        basket("of-ada", ("moisturiser", 24_00), customer_id="ada"),
        basket("of-somebody-new", ("moisturiser", 24_00), customer_id="never-heard-of"),
        basket("anonymous", ("moisturiser", 24_00)),
        basket("soap", ("hand-soap", 4_00)),
    ],
)


@pytest.mark.scenario("S10")
@pytest.mark.scenario("S15")
def test_a_cleanser_goes_with_a_moisturiser_of_its_own_department(told: Told) -> None:
    assert told.offered("anonymous")[0] == "cleanser"
    assert told.product("cleanser").category == told.product("moisturiser").category


@pytest.mark.scenario("S40")
def test_what_a_customer_does_not_want_is_left_out_and_the_tier_is_known(told: Told) -> None:
    assert (told.offered("of-ada"), told.answers["of-ada"].tier) == (["cleanser"], "gold")
    assert told.codes("of-ada")["perfume"] == "EXCLUDED"


@pytest.mark.scenario("S40")
@pytest.mark.parametrize("name", ["anonymous", "of-somebody-new"])
def test_who_is_not_known_is_answered_as_well(told: Told, name: str) -> None:
    assert (told.offered(name), told.answers[name].tier) == (["cleanser", "perfume"], "none")


@pytest.mark.scenario("S37")
def test_two_orders_are_too_little_to_claim_anything(told: Told) -> None:
    assert told.offered("soap") == []
    assert told.codes("soap") == {"cleanser": "BELOW_SUPPORT"}
