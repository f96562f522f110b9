"""Fashion: trousers in qualities, sizes and genders; limits that shoppers state."""

from __future__ import annotations

import pytest

from stream.events import Consents, Limits, Preferences, ProductUpdated, Viewing
from tests.scenarios.events import basket, bought, customer, order, product
from tests.scenarios.sector import Sector, Told


def trousers(sku: str, rung: int, price: int, size: str = "M", gender: str = "women") -> ProductUpdated:
    """A pair of trousers of the one range there is."""
    features = {"size": size, "gender": gender}
    return product(sku, price, rung=("trousers", rung), features=features, category="trousers")


SECTOR = Sector(
    "fashion",
    products=[
        trousers("cotton-m", 1, 50_00),
        trousers("cotton-l", 1, 50_00, size="L"),
        trousers("wool-l", 2, 68_00, size="L"),
        trousers("wool-m-men", 2, 66_00, gender="men"),
        trousers("wool-m", 2, 69_00),
        trousers("cashmere-m", 3, 240_00),
        product("belt", 25_00, category="belts"),
    ],
    orders=[*bought(12, "cotton-m", "belt"), *bought(40, "scarf")],
    customers=[
        customer("thrifty", preferences=Preferences(max_step=1.2)),
        customer("willing", consents=Consents(email=True)),
    ],
    placed=[
        order("paid", ("cotton-m", 50_00), customer_id="willing"),
        order("paid-by-a-stranger", ("cotton-m", 50_00), customer_id="never-asked"),
    ],
    baskets=[
        basket("added", ("cotton-m", 50_00)),
        basket("looked-at", viewing=Viewing("cotton-m", 50_00)),
        basket("looked-at-beside", ("belt", 25_00), viewing=Viewing("cotton-m")),
        basket("best-already", ("cashmere-m", 240_00)),
        basket("at-most-60", ("cotton-m", 50_00), limits=Limits(max_price=60_00)),
        basket("of-thrifty", ("cotton-m", 50_00), customer_id="thrifty"),
    ],
)


@pytest.mark.scenario("S01")
@pytest.mark.scenario("S15")
def test_the_offer_is_a_higher_rung_of_the_range_and_takes_the_place_of_the_line(told: Told) -> None:
    offer = told.upsell("added")
    line, offered = told.product("cotton-m"), told.product(offer.sku)

    assert line.range is not None
    assert offered.range is not None
    assert (offered.range.id, offered.range.rung > line.range.rung) == (line.range.id, True)
    assert (offer.replaces_sku, offer.price_step) == ("cotton-m", offered.price - line.price)


@pytest.mark.scenario("S01")
def test_nothing_is_above_the_best(told: Told) -> None:
    assert told.offered("best-already", "upsell") == []


@pytest.mark.scenario("S02")
def test_the_better_trousers_have_the_same_size_and_gender(told: Told) -> None:
    offer = told.upsell("added")

    assert offer.sku == "wool-m"
    assert told.product(offer.sku).features == told.product("cotton-m").features
    assert {rung.sku for rung in offer.ladder} <= {"cotton-m", "wool-m", "cashmere-m"}


@pytest.mark.scenario("S21")
@pytest.mark.parametrize("name", ["looked-at", "looked-at-beside"])
def test_trousers_that_are_looked_at_are_upsold_before_they_are_added(told: Told, name: str) -> None:
    offer = told.upsell(name)

    assert (offer.sku, offer.replaces_sku, offer.price_step) == ("wool-m", "cotton-m", 19_00)
    assert "cotton-m" not in told.offered(name)


@pytest.mark.scenario("S21")
def test_what_is_looked_at_brings_what_goes_with_it(told: Told) -> None:
    assert told.offered("looked-at", "cross_sell") == ["belt"]


@pytest.mark.scenario("S22")
def test_trousers_in_the_basket_are_upsold_as_long_as_it_is_a_basket(told: Told) -> None:
    answer = told.answers["added"]

    assert (answer.timing, answer.order_id) == ("in_basket", None)
    assert told.upsell("added").sku == "wool-m"


@pytest.mark.scenario("S23")
def test_trousers_that_are_paid_are_not_upsold_and_the_answer_says_why(told: Told) -> None:
    answer = told.answers["paid"]

    assert (answer.timing, answer.order_id, answer.customer_id) == ("post_purchase", "paid", "willing")
    assert told.offered("paid") == ["belt"]
    assert told.codes("paid")["wool-m"] == "WRONG_TIMING"


@pytest.mark.scenario("S23")
def test_who_agreed_to_nothing_hears_nothing_after_the_order(told: Told) -> None:
    assert "paid-by-a-stranger" not in told.answers


@pytest.mark.scenario("S35")
@pytest.mark.parametrize(("name", "code"), [("at-most-60", "OVER_LIMIT"), ("of-thrifty", "STEP_TOO_HIGH")])
def test_no_upsell_goes_against_what_the_shopper_said(told: Told, name: str, code: str) -> None:
    assert told.offered(name, "upsell") == []
    assert told.codes(name)["wool-m"] == code
