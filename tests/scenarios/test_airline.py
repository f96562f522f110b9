"""Airline fares: services by rung, drawn as a grid."""

from __future__ import annotations

import pytest

from stream.events import Consents, ProductUpdated
from tests.scenarios.events import basket, customer, order, product
from tests.scenarios.sector import Sector, Told

SERVICES = ("cabin bag", "hold bag", "seat choice", "change", "refund", "lounge")
FARES = {"light": (99_00, 1), "standard": (129_00, 3), "flex": (189_00, 5), "business": (399_00, 6)}


def fare(name: str, rung: int, price: int, included: int) -> ProductUpdated:
    """A fare with so many of the services included."""
    features = {service: n < included for n, service in enumerate(SERVICES)}
    return product(
        f"fare-{name}",
        price,
        kind="service",
        rung=("ams-nce", rung),
        features=features,
        category="fares",
    )


SECTOR = Sector(
    "airline",
    products=[fare(name, n, *of) for n, (name, of) in enumerate(FARES.items(), 1)],
    customers=[customer("flyer", consents=Consents(push=True))],
    placed=[order("paid", ("fare-light", 99_00), customer_id="flyer")],
    baskets=[basket("light", ("fare-light", 99_00)), basket("business", ("fare-business", 399_00))],
)


@pytest.mark.scenario("S04")
@pytest.mark.scenario("S15")
def test_the_basic_fare_is_answered_with_one_that_includes_more(told: Told) -> None:
    offer = told.upsell("light")
    before, after = told.product("fare-light").features, told.product(offer.sku).features

    assert (offer.sku, offer.replaces_sku) == ("fare-standard", "fare-light")
    assert {name for name in SERVICES if after[name] and not before[name]} == {"hold bag", "seat choice"}
    assert offer.reason.evidence["gained"] == "hold bag, seat choice"


@pytest.mark.scenario("S07")
def test_the_offer_carries_every_fare_against_every_service(told: Told) -> None:
    offer = told.upsell("light")

    assert offer.price_step == 30_00
    assert [(rung.sku, rung.price) for rung in offer.ladder] == [
        (f"fare-{name}", price) for name, (price, _) in FARES.items()
    ]
    for rung, (_, included) in zip(offer.ladder, FARES.values(), strict=True):
        assert rung.features == {service: n < included for n, service in enumerate(SERVICES)}


@pytest.mark.scenario("S07")
def test_the_dearest_fare_is_left_alone_and_the_answer_says_so(told: Told) -> None:
    assert told.offered("business") == []
    assert set(told.codes("business").values()) == {"LOWER_RUNG"}


@pytest.mark.scenario("S24")
def test_a_fare_is_upsold_before_it_is_paid_and_after(told: Told) -> None:
    before, after = told.upsell("light"), told.upsell("paid")

    assert (before.sku, after.sku, after.replaces_sku) == ("fare-standard", "fare-standard", "fare-light")
    assert (after.price_step, after.ladder) == (30_00, before.ladder)
    assert told.answers["paid"].timing == "post_purchase"
