"""A stationer: what customers come back for could have been bought in one go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from stream.events import OrderPlaced
from tests.scenarios.events import NOW, basket, bought, order, product
from tests.scenarios.sector import Sector, Told


def on(day: int, customer: str, *skus: str) -> OrderPlaced:
    """An order of a customer, so many days before the baskets are asked about."""
    name = f"{customer}:{'+'.join(skus)}#{day}"
    return replace(order(name, *skus, customer_id=customer), occurred_at=NOW - timedelta(day))


SECTOR = Sector(
    "stationery",
    products=[
        product("printer", 199_00, category="devices"),
        product("ink", 29_00, kind="consumable", category="supplies"),
        product("paper", 5_00, kind="consumable", category="supplies"),
        product("toner", 49_00, kind="consumable", category="supplies", in_stock=False),
        product("desk-lamp", 39_00, category="devices"),
        product("chair", 149_00, category="furniture"),
    ],
    orders=[
        # Nine of twelve come back for ink a week later; none took it along.
        *(on(40 - n, f"buyer-{n}", "printer", "paper") for n in range(12)),
        *(on(33 - n, f"buyer-{n}", "ink") for n in range(9)),
        *(on(34 - n, f"buyer-{n}", "toner") for n in range(6)),
        *(on(30, f"guest-{n}", "desk-lamp") for n in range(20)),
        *(on(45, f"early-{n}", "ink") for n in range(2)),
        *bought(10, "chair"),
    ],
    baskets=[
        basket("printer", ("printer", 199_00)),
        basket("printer-at-the-till", ("printer", 199_00), channel="pos"),
        basket("printer-and-ink", ("printer", 199_00), ("ink", 29_00)),
        basket("ink", ("ink", 29_00)),
        basket("lamp", ("desk-lamp", 39_00)),
    ],
    sampled=True,
)


@pytest.mark.scenario("S34")
@pytest.mark.scenario("S15")
@pytest.mark.parametrize("name", ["printer", "printer-at-the-till"])
def test_what_customers_come_back_for_is_offered_at_once_behind_what_is_bought_together(
    told: Told, name: str
) -> None:
    paper, ink = told.answers[name].offers

    assert (paper.sku, paper.reason.code) == ("paper", "CO_PURCHASE")
    assert (ink.kind, ink.sku, ink.title, ink.price) == ("cross_sell", "ink", "Ink", 29_00)
    assert ink.reason.code == "BOUGHT_LATER"
    assert ink.reason.evidence == {"sku": "printer", "customers": 9, "of_customers": 12, "within_days": 30}
    assert ink.reason.text == "9 of 12 customers with Printer came back for this within 30 days"
    assert 0 < ink.score < paper.score


@pytest.mark.scenario("S34")
def test_what_is_in_the_basket_or_out_of_stock_is_not_offered_although_they_come_back_for_it(
    told: Told,
) -> None:
    assert told.offered("printer-and-ink") == ["paper"]
    assert told.codes("printer") == {"toner": "OUT_OF_STOCK"}


@pytest.mark.scenario("S34")
@pytest.mark.parametrize("name", ["ink", "lamp"])
def test_what_nobody_came_back_for_is_not_offered(told: Told, name: str) -> None:
    assert told.offered(name) == []
