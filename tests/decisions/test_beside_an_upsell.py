"""What is added beside a step up: the partners of the rung that is offered."""

from __future__ import annotations

import pytest

from stream.decisions.candidates import rungs_above
from stream.decisions.codes import SUPERSEDED_BY_UPSELL
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import codes, decide, offered, product, views


@pytest.mark.scenario("S42")
def test_beside_an_upsell_stand_the_cross_sells_of_the_rung_offered() -> None:
    known = views(
        [
            product("phone-a", 50000, range_id="phones", rung=1),
            product("phone-b", 60000, range_id="phones", rung=2),
            product("case-a", 2000),
            product("case-b", 2500),
            product("charger", 3000),
        ],
        {
            ("phone-a", "case-a"): 60,
            ("phone-b", "case-b"): 30,
            ("phone-a", "charger"): 50,
            ("phone-b", "charger"): 20,
            ("phone-a", "phone-b"): 5,
        },
        total=3_000,
    )

    decision = decide(basket_of(("phone-a", 50000)), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [
        ("upsell", "phone-b"),
        ("cross_sell", "case-b"),
        ("cross_sell", "charger"),
    ]
    assert codes(decision) == {"case-a": SUPERSEDED_BY_UPSELL, "phone-a": "IN_CART"}
    assert decision.offers[1].reason.evidence["sku"] == "phone-b"


@pytest.mark.scenario("S42")
def test_what_another_line_speaks_for_outlives_the_upsell() -> None:
    known = views(
        [
            product("phone-a", 50000, range_id="phones", rung=1),
            product("phone-b", 60000, range_id="phones", rung=2),
        ],
        {("phone-a", "case"): 60, ("stand", "case"): 30, ("stand", "phone-b"): 10},
    )

    decision = decide(basket_of(("phone-a", 50000), ("stand", 100)), known)

    assert offered(decision) == ["phone-b", "case"]
    assert codes(decision) == {"stand": "IN_CART"}


def test_an_upsell_fills_a_basket_that_asks_for_one_offer() -> None:
    known = views(
        [product("a", 1000, range_id="r", rung=1), product("b", 1100, range_id="r", rung=2)],
        {("a", "x"): 60, ("b", "x"): 60},
    )

    assert offered(decide(basket_of(("a", 1000), max_offers=1), known)) == ["b"]


def test_an_offered_rung_that_is_well_known_silences_the_old_lines_partners() -> None:
    known = views(
        [product("a", 1000, range_id="r", rung=1), product("b", 1100, range_id="r", rung=2)],
        {("a", "w"): 30, ("a", "x"): 60, ("a", "y"): 50, ("a", "z"): 40, ("b", "v"): 40},
    )

    decision = decide(basket_of(("a", 1000)), known)

    assert offered(decision) == ["b", "v"]
    assert codes(decision) == dict.fromkeys(("x", "y", "z"), SUPERSEDED_BY_UPSELL)


def test_a_rung_that_was_always_ordered_alone_is_lent_the_old_lines_co_purchases() -> None:
    known = views(
        [product("a", 1000, range_id="r", rung=1), product("b", 1100, range_id="r", rung=2)],
        {("a", "x"): 60, ("b", "y"): 2},
    )

    assert offered(decide(basket_of(("a", 1000)), known)) == ["b", "x"]


@pytest.mark.parametrize("orders", [None, 29])
def test_an_offered_rung_too_new_to_be_known_is_lent_the_old_lines_co_purchases(orders: int | None) -> None:
    known = views(
        [
            product("a", 1000, range_id="r", rung=1, complements=(("made-for-a", 1.0),)),
            product("b", 1100, range_id="r", rung=2),
        ],
        {("a", "x"): 60, ("a", "y"): 50} | ({} if orders is None else {("b", "v"): 10}),
        {} if orders is None else {"b": orders},
    )

    decision = decide(basket_of(("a", 1000)), known)

    assert set(offered(decision)) == {"b", "x", "y"} | (set() if orders is None else {"v"})
    assert codes(decision)["made-for-a"] == SUPERSEDED_BY_UPSELL


def test_the_rungs_to_read_are_all_that_a_line_may_be_replaced_by() -> None:
    products = [product(s, 1000 + n, range_id="r", rung=n) for n, s in enumerate("cab")]
    known = views([*products, product("x"), product("alone", range_id="unread")])

    assert rungs_above([products[1], product("alone", range_id="unread")], known.ladders) == ["b"]
    assert rungs_above([products[0]], known.ladders) == ["a", "b"]
    assert rungs_above([product("lost", range_id="lost")], known.ladders) == []
