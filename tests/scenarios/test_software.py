"""Software by subscription: editions as a ladder."""

from __future__ import annotations

import pytest

from stream.events import Consents
from tests.scenarios.events import basket, bought, customer, order, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "software",
    products=[
        product(
            "editor-light",
            10_00,
            kind="subscription",
            rung=("editor", 1),
            features={"seats": 1.0, "version history": False},
            category="editors",
        ),
        product(
            "editor-pro",
            14_00,
            kind="subscription",
            rung=("editor", 2),
            features={"seats": 5.0, "version history": True},
            category="editors",
        ),
        product("templates", 9_00, kind="service", category="templates"),
    ],
    orders=[
        *bought(20, "editor-light", "templates"),
        *bought(40, "fonts"),
        order("of-studio", "editor-pro", "templates", customer_id="studio"),
    ],
    customers=[customer("team", consents=Consents(email=True))],
    placed=[order("paid", ("editor-light", 10_00), customer_id="team")],
    baskets=[
        basket("light", ("editor-light", 10_00)),
        basket("pro", ("editor-pro", 14_00)),
        basket("light-for-studio", ("editor-light", 10_00), customer_id="studio"),
    ],
)


@pytest.mark.scenario("S15")
def test_light_is_answered_with_pro_and_what_goes_with_it(told: Told) -> None:
    assert told.upsell("light").sku == "editor-pro"
    assert told.offered("light", "cross_sell") == ["templates"]


@pytest.mark.scenario("S01")
def test_who_takes_pro_is_not_offered_light(told: Told) -> None:
    assert told.offered("pro", "upsell") == []
    assert "editor-light" not in told.offered("pro")


@pytest.mark.scenario("S24")
def test_a_subscription_is_upsold_after_it_was_taken_out(told: Told) -> None:
    assert told.upsell("paid").sku == "editor-pro"
    assert told.answers["paid"].order_id == "paid"


@pytest.mark.feature("F17")
def test_who_has_pro_and_its_templates_is_offered_neither_again(told: Told) -> None:
    assert told.offered("light-for-studio") == []
    assert told.codes("light-for-studio") == {"editor-pro": "ALREADY_OWNED", "templates": "ALREADY_OWNED"}
