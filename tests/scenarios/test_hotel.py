"""A hotel: rooms compared by what they look out on, how large they are, and what is in them."""

from __future__ import annotations

import pytest

from tests.scenarios.events import basket, bought, product
from tests.scenarios.sector import Sector, Told

SECTOR = Sector(
    "hotel",
    products=[
        product(
            "room-classic",
            120_00,
            kind="service",
            rung=("rooms", 1),
            features={"view": "courtyard", "square metres": 18.0, "balcony": False},
            category="rooms",
        ),
        product(
            "room-superior",
            160_00,
            kind="service",
            rung=("rooms", 2),
            features={"view": "sea", "square metres": 26.0, "balcony": True},
            category="rooms",
        ),
        product("breakfast", 18_00, kind="service", category="meals"),
    ],
    orders=[*bought(15, "room-classic", "breakfast"), *bought(40, "parking")],
    baskets=[basket("room", ("room-classic", 120_00))],
)


@pytest.mark.scenario("S06")
@pytest.mark.scenario("S15")
def test_the_better_room_is_compared_by_view_space_and_equipment(told: Told) -> None:
    offer = told.upsell("room")
    classic, superior = (rung.features for rung in offer.ladder)

    assert offer.reason.evidence["gained"] == "balcony, square metres, view"
    assert (classic["view"], superior["view"]) == ("courtyard", "sea")
    assert (classic["square metres"], superior["square metres"]) == (18.0, 26.0)
    assert (classic["balcony"], superior["balcony"]) == (False, True)
    assert told.offered("room", "cross_sell") == ["breakfast"]
