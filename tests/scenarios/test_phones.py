"""Phones, as a telecom sells them: generations, cases that fit one of them, contracts."""

from __future__ import annotations

import pytest

from tests.scenarios.events import basket, bought, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "phones",
    products=[
        product(
            "phone-14",
            600_00,
            rung=("phones", 14),
            features={"5G": True, "optical zoom": 2.0, "eSIM": False, "satellite calls": False},
            category="phones",
        ),
        product(
            "phone-15",
            750_00,
            rung=("phones", 15),
            features={"5G": True, "optical zoom": 5.0, "eSIM": True, "satellite calls": False},
            category="phones",
        ),
        product("case-14", 30_00, category="cases"),
        product("case-15", 32_00, category="cases"),
        product("charger", 25_00, category="chargers"),
        product("phone-plan", 20_00, kind="subscription", category="plans"),
    ],
    orders=[
        *bought(40, "phone-14", "case-14"),
        *bought(20, "phone-14", "charger"),
        *bought(40, "phone-15", "case-15"),
        *bought(20, "phone-15", "phone-plan"),
        *bought(60, "prepaid-card"),
    ],
    baskets=[basket("phone", ("phone-14", 600_00))],
)


@pytest.mark.scenario("S03")
@pytest.mark.scenario("S15")
def test_the_newer_phone_names_the_features_it_adds(told: Told) -> None:
    offer = told.upsell("phone")

    assert offer.sku == "phone-15"
    assert offer.reason.code == "NEXT_RUNG"
    assert offer.reason.evidence["features_gained"] == 2
    assert offer.reason.evidence["gained"] == "eSIM, optical zoom"


@pytest.mark.scenario("S42")
def test_one_answer_holds_the_newer_phone_and_the_case_that_fits_it(told: Told) -> None:
    assert told.offered("phone", "upsell") == ["phone-15"]
    assert sorted(told.offered("phone", "cross_sell")) == ["case-15", "phone-plan"]
    assert told.codes("phone")["case-14"] == "SUPERSEDED_BY_UPSELL"
