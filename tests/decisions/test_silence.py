"""What is not added, and what is said of it: floors, refusals, limits, and silence that names its reasons."""

from __future__ import annotations

import pytest

from stream.decisions.codes import BELOW_CONFIDENCE, BELOW_SUPPORT
from stream.decisions.policy import Policy
from tests.decisions.shop import NOW_MS, POLICY, codes, decide, offered, product, views
from tests.decisions.shop import basket as basket_of


@pytest.mark.scenario("S37")
def test_below_the_floors_there_is_silence_and_it_says_why() -> None:
    known = views(
        [product("tea"), product("rare"), product("milk")],
        {("tea", "rare"): 2, ("tea", "milk"): 50},
        {"tea": 100, "milk": 600_000},
    )

    decision = decide(basket_of("tea"), known)

    assert decision.offers == []
    assert [(entry.sku, entry.code) for entry in decision.suppressed] == [
        ("milk", BELOW_CONFIDENCE),
        ("rare", BELOW_SUPPORT),
    ]


@pytest.mark.scenario("S37")
def test_of_an_unknown_basket_the_lines_say_why() -> None:
    decision = decide(basket_of("new", "newer"), views())

    assert codes(decision) == {"new": BELOW_SUPPORT, "newer": BELOW_SUPPORT}


def test_an_emptied_basket_gets_an_empty_answer() -> None:
    decision = decide(basket_of(), views())

    assert (decision.offers, decision.suppressed) == ([], [])


def test_a_basket_that_asks_for_no_offers_gets_none() -> None:
    known = views([], {("tea", "milk"): 50})

    assert codes(decide(basket_of("tea", max_offers=0), known)) == {"tea": "NO_OFFERS_ASKED"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"in_stock": False}, "OUT_OF_STOCK"),
        ({"active": False}, "DELISTED"),
        ({"delisted": True}, "DELISTED"),
        ({"available_until_ms": NOW_MS}, "DELISTED"),
        ({"available_until_ms": NOW_MS + 1}, None),
        ({"available_from_ms": NOW_MS + 1}, "NOT_YET_AVAILABLE"),
        ({"available_from_ms": NOW_MS}, None),
        ({"currency": "USD"}, "OTHER_CURRENCY"),
        ({"category": ("alcohol", "wine")}, "EXCLUDED"),
        ({"sku": "banned"}, "EXCLUDED"),
        ({"price": 5001}, "OVER_LIMIT"),
        ({"price": None}, "OVER_LIMIT"),
        ({"price": 5000}, None),
    ],
)
def test_a_refused_cross_sell_keeps_its_code(more: dict[str, object], code: str | None) -> None:
    x = product(**{"sku": "x", **more})  # type: ignore[arg-type]
    asked = basket_of(
        "a",
        max_price=5000,
        exclude_skus=frozenset({"banned"}),
        excluded_categories=frozenset({"alcohol"}),
    )

    decision = decide(asked, views([x], {("a", x.sku): 42}))

    assert codes(decision) == ({} if code is None else {x.sku: code})
    assert offered(decision) == ([x.sku] if code is None else [])


def test_a_sku_outside_the_catalogue_obeys_the_exclude_list_and_the_price_limit() -> None:
    known = views([], {("a", "x"): 42, ("a", "y"): 41})

    assert offered(decide(basket_of("a", exclude_skus=frozenset({"x"})), known)) == ["y"]
    assert codes(decide(basket_of("a", max_price=10), known)) == {"x": "OVER_LIMIT", "y": "OVER_LIMIT"}


def test_no_eligible_candidate_is_lost_behind_many_refused_ones() -> None:
    sold_out = [product(f"p{n:02d}", in_stock=False) for n in range(45)]
    together = {("a", entry.sku): 90 - n for n, entry in enumerate(sold_out)}
    known = views(sold_out, together | {("a", "q1"): 5, ("a", "q2"): 4})

    decision = decide(basket_of("a"), known)

    assert offered(decision) == ["q1", "q2"]
    assert len(decision.suppressed) == POLICY.max_suppressed


def test_scores_at_the_floor_are_not_offered_and_the_walk_ends_when_nobody_would_be_told() -> None:
    known = views([], {("a", f"p{n:02d}"): 60 - n for n in range(40)})

    decision = decide(basket_of("a"), known, Policy(min_score=10.0, max_suppressed=3))

    assert decision.offers == []
    assert codes(decision) == dict.fromkeys(("p00", "p01", "p02"), BELOW_CONFIDENCE)


def test_silence_names_each_candidate_under_the_floor_once() -> None:
    known = views(
        [], {("a", "x"): 1, ("b", "x"): 2, ("a", "y"): 1, ("a", "b"): 2, ("c", "b"): 50, ("c", "x"): 2}
    )

    decision = decide(basket_of("a", "b", "c"), known)

    assert [(entry.sku, entry.code) for entry in decision.suppressed] == [
        ("b", "IN_CART"),
        ("c", "IN_CART"),
        ("x", BELOW_SUPPORT),
        ("y", BELOW_SUPPORT),
    ]


def test_a_decision_that_refused_candidates_does_not_also_blame_its_lines() -> None:
    known = views([product("x", in_stock=False)], {("a", "x"): 42, ("b", "x"): 1})

    assert codes(decide(basket_of("a", "b"), known)) == {"x": "OUT_OF_STOCK"}


def test_what_was_dismissed_is_not_added() -> None:
    known = views([product("x")], {("x", "y"): 40, ("x", "z"): 30})

    decision = decide(basket_of("x", dismissed={"y": NOW_MS, "z": 0}), known)

    assert (offered(decision), codes(decision)) == (["z"], {"y": "DISMISSED"})
