"""What an upsell shows: the grid of the range's rungs, and what the step gains, loses and costs."""

from __future__ import annotations

import msgspec
import pytest

from stream.decisions.lines import Lines
from stream.decisions.policy import Policy
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import decide, product, rung, views


@pytest.mark.scenario("S03")
def test_a_newer_smartphone_lists_the_features_it_adds() -> None:
    known = views(
        [
            rung("phone-14", 14, 60000, features={"5G": True, "zoom": 2.0, "esim": False}),
            rung("phone-15", 15, 75000, features={"5G": True, "zoom": 5.0, "esim": True}),
        ]
    )

    reason = decide(basket_of(("phone-14", 60000)), known).offers[0].reason

    assert reason.code == "NEXT_RUNG"
    assert reason.evidence == {
        "sku": "phone-14",
        "price_step": 15000,
        "features_gained": 2,
        "gained": "esim, zoom",
    }
    assert reason.text == "+150.00 EUR, +2 features"


@pytest.mark.scenario("S04")
@pytest.mark.scenario("S07")
def test_a_fare_carries_the_grid_of_all_fares_and_all_services() -> None:
    known = views(
        [
            rung("light", 1, 10000, kind="service", features={"cabin bag": True}),
            rung("standard", 2, 13000, kind="service", features={"cabin bag": True, "hold bag": True}),
            rung(
                "flex",
                3,
                30000,
                kind="service",
                features={"cabin bag": True, "hold bag": 2.0, "refund": True},
            ),
        ]
    )

    offer = decide(basket_of(("light", 10000)), known).offers[0]

    assert (offer.sku, offer.price_step) == ("standard", 3000)
    assert [(column.sku, column.rung, column.price, column.features) for column in offer.ladder] == [
        ("light", 1, 10000, {"cabin bag": True, "hold bag": False, "refund": False}),
        ("standard", 2, 13000, {"cabin bag": True, "hold bag": True, "refund": False}),
        ("flex", 3, 30000, {"cabin bag": True, "hold bag": 2.0, "refund": True}),
    ]


@pytest.mark.scenario("S05")
def test_a_tastier_dish_may_cost_the_same_and_needs_no_features() -> None:
    known = views([rung("pasta", 1, 1400), rung("ravioli", 2, 1400)])

    offer = decide(basket_of(("pasta", 1400)), known).offers[0]

    assert (offer.sku, offer.price_step) == ("ravioli", 0)
    assert offer.reason.text == "Same price"


@pytest.mark.scenario("S06")
def test_a_better_room_is_compared_on_view_space_and_equipment() -> None:
    known = views(
        [
            rung("court", 1, 12000, features={"view": "court", "area_m2": 18.0, "kettle": False}),
            rung("sea", 2, 16000, features={"view": "sea", "area_m2": 26.0, "kettle": True}),
        ]
    )

    reason = decide(basket_of(("court", 12000)), known).offers[0].reason

    assert reason.evidence["gained"] == "area_m2, kettle, view"


def test_what_the_higher_rung_lacks_is_said_too() -> None:
    known = views(
        [
            rung("old", 1, 1000, features={"headphone jack": True, "radio": True, "note": "x"}),
            rung("new", 2, 1200, features={"camera": True, "note": 7.0}),
        ]
    )

    reason = decide(basket_of(("old", 1000)), known).offers[0].reason

    assert reason.text == "+2.00 EUR, +2 features, -2 features"
    assert reason.evidence["features_lost"] == 2


def test_one_feature_is_singular() -> None:
    known = views(
        [
            rung("old", 1, 1000, features={"jack": True}),
            rung("new", 2, 1200, features={"camera": True, "mass": 0.0}),
        ]
    )

    assert (
        decide(basket_of(("old", 1000)), known).offers[0].reason.text == "+2.00 EUR, +1 feature, -1 feature"
    )


def test_a_long_range_is_drawn_up_to_the_offer() -> None:
    closed = [rung(f"r{n:03d}", n, 1000 + n, in_stock=False) for n in range(1, 60)]
    known = views([rung("r000", 0, 1000), *closed, rung("r060", 60, 1100), rung("r061", 61, 1101)])

    ladder = decide(basket_of(("r000", 1000)), known).offers[0].ladder

    assert len(ladder) == Policy().max_grid_rungs
    assert ladder[-1].sku == "r060"


def test_the_grid_of_a_line_that_left_the_catalogue_starts_at_the_first_rung() -> None:
    held = product("gone", 1000, range_id="range", rung=1)
    known = views([rung("a", 1, 1000), rung("b", 2, 1200), held])
    without = views([rung("a", 1, 1000), rung("b", 2, 1200)])
    mixed = msgspec.structs.replace(
        known, lines=Lines({sku: known.lines[sku] for sku in known.items}, without.ladders)
    )

    offer = decide(basket_of(("gone", 1000)), mixed).offers[0]

    assert [column.sku for column in offer.ladder] == ["a", "b"]
