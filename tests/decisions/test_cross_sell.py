"""Adding a line: what the orders taught, what the catalogue names, and what may not stand together."""

from __future__ import annotations

import pytest

from stream.decisions.codes import SAME_RANGE
from stream.decisions.complements import Complements
from stream.decisions.decide import decide_batch
from stream.decisions.policy import Policy
from tests.decisions.shop import NOW_MS, POLICY, codes, decide, offered, product, views
from tests.decisions.shop import basket as basket_of


@pytest.mark.scenario("S08")
def test_a_cross_sell_adds_a_line_and_is_no_substitute() -> None:
    known = views(
        [
            product("laptop", 90000, range_id="laptops", rung=2),
            product("other laptop", 80000, range_id="laptops", rung=1),
            product("mouse", 2000),
        ],
        {("laptop", "mouse"): 40, ("bag", "other laptop"): 50},
    )

    decision = decide(basket_of(("laptop", 90000), "bag"), known)

    assert [(offer.kind, offer.sku, offer.replaces_sku) for offer in decision.offers] == [
        ("cross_sell", "mouse", None)
    ]
    assert codes(decision) == {"other laptop": SAME_RANGE}


def test_which_rung_to_add_is_the_shoppers_choice_where_no_line_is_of_their_range() -> None:
    known = views(
        [product("m", range_id="bags", rung=1), product("l", range_id="bags", rung=2), product("x")],
        {("x", "m"): 40, ("x", "l"): 30},
    )

    decision = decide(basket_of("x"), known)

    assert (offered(decision), codes(decision)) == (["m", "l"], {})


@pytest.mark.scenario("S09")
def test_a_laptop_brings_case_mouse_and_antivirus() -> None:
    known = views(
        [
            product("laptop", 90000, category=("it", "laptops")),
            product("case", 3000, category=("it", "cases")),
            product("mouse", 2000, category=("it", "mice")),
            product("antivirus", 4000, category=("it", "software"), kind="subscription"),
        ],
        {("laptop", "case"): 60, ("laptop", "mouse"): 50, ("laptop", "antivirus"): 40},
    )

    assert offered(decide(basket_of(("laptop", 90000)), known)) == ["case", "mouse", "antivirus"]


def test_what_two_lines_speak_for_stands_before_what_one_does() -> None:
    known = views([], {("a", "x"): 30, ("b", "x"): 30, ("a", "y"): 50})

    assert offered(decide(basket_of("a", "b"), known)) == ["x", "y"]


def test_a_popular_partner_is_discounted() -> None:
    known = views([], {("a", "rare"): 30, ("a", "popular"): 31}, {"popular": 5000})

    assert offered(decide(basket_of("a"), known)) == ["rare", "popular"]


def test_the_baseline_is_that_of_the_design() -> None:
    known = views([], {("a", "x"): 42}, {"a": 310, "x": 50})

    assert decide(basket_of("a"), known).offers[0].score == pytest.approx(42 / 340 / 50**0.2, abs=1e-9)


def test_a_reason_gives_the_numbers_of_the_strongest_line() -> None:
    known = views([product("a", title="Espresso")], {("a", "x"): 42, ("b", "x"): 20}, {"a": 310, "x": 50})

    reason = decide(basket_of("a", "b"), known).offers[0].reason

    assert reason.code == "CO_PURCHASE"
    assert reason.evidence == {"sku": "b", "together": 20, "orders": 100, "window_days": 90}
    assert reason.text == "20 of 100 orders with b in 90 days also had this"
    alone = decide(basket_of("a"), known).offers[0].reason
    assert alone.text == "42 of 310 orders with Espresso in 90 days also had this"


@pytest.mark.scenario("S38")
def test_a_complement_named_by_the_catalogue_stands_before_what_was_only_learned() -> None:
    known = views(
        [product("bike", complements=(("helmet", 1.0), ("lock", 0.5), ("lock", 0.4), ("bike", 1.0)))],
        {("bike", "pump"): 90, ("bike", "lock"): 10},
    )

    decision = decide(basket_of("bike"), known)

    assert offered(decision) == ["helmet", "lock", "pump"]
    helmet, lock, pump = (offer.reason for offer in decision.offers)
    assert (helmet.code, helmet.evidence) == ("COMPLEMENT", {"sku": "bike", "weight": 1.0})
    assert helmet.text == "Goes with Bike"
    assert lock.evidence == {
        "sku": "bike",
        "weight": 0.5,
        "co_purchase_sku": "bike",
        "co_purchase_together": 10,
        "co_purchase_orders": 100,
        "co_purchase_window_days": 90,
    }
    assert lock.text == "Goes with Bike; 10 of 100 orders with Bike in 90 days also had this"
    assert pump.code == "CO_PURCHASE"


def test_a_complement_without_a_number_cannot_be_offered() -> None:
    known = views([product("bike")])
    bike = product("bike", complements=(("unheard of", 1.0),))

    row = Complements(POLICY).row("bike", bike, {"bike": known.lines["bike"].item}, lambda _: 1.0)

    assert row is not None
    assert row.candidates() == []


@pytest.mark.scenario("S39")
def test_without_a_catalogue_the_orders_alone_decide() -> None:
    offer = decide(basket_of("a"), views([], {("a", "x"): 42})).offers[0]

    assert (offer.sku, offer.title, offer.price, offer.reason.code) == ("x", None, None, "CO_PURCHASE")


def test_of_one_category_no_more_than_the_cap() -> None:
    products = [product(sku, category=("drinks", "tea")) for sku in ("t1", "t2", "t3")]
    together = {("a", "t1"): 60, ("a", "t2"): 50, ("a", "t3"): 40, ("a", "u"): 30, ("a", "v"): 20}
    known = views([*products, product("u", category=("drinks", "mugs"))], together)

    capped = decide(basket_of("a"), known, Policy(max_per_category=2))
    free = decide(basket_of("a"), known, Policy(max_per_category=None))

    assert (offered(capped), codes(capped)) == (["t1", "t2", "u", "v"], {"t3": "CATEGORY_CAP"})
    assert offered(free) == ["t1", "t2", "t3", "u", "v"]


@pytest.mark.parametrize(("wanted", "of_one"), [(1, 1), (5, 2), (6, 4), (10, 4), (11, 6)])
def test_the_cap_of_a_category_is_of_every_five_offers_asked_for(wanted: int, of_one: int) -> None:
    teas = [product(f"t{n}", category=("drinks", "tea")) for n in range(9)]
    known = views(
        [*teas, *map(product, "uvwxyz")], {("a", p.sku): 60 for p in teas} | {("a", s): 9 for s in "uvwxyz"}
    )

    asked = decide(basket_of("a", max_offers=wanted), known, Policy(max_per_category=2))

    assert sum(sku.startswith("t") for sku in offered(asked)) == of_one


def test_equal_scores_are_settled_by_count_then_margin_then_sku() -> None:
    products = [product("rich", 1000, cost=100), product("poor", 1000, cost=900), product("none", 1000)]
    known = views(products, {("a", "rich"): 9, ("a", "poor"): 9, ("a", "none"): 9, ("a", "also"): 9})

    assert offered(decide(basket_of("a"), known)) == ["rich", "poor", "also", "none"]


@pytest.mark.scenario("S14")
def test_margin_breaks_a_tie_of_relevance_and_only_a_tie() -> None:
    products = [product("rich", 1000, cost=100), product("dear", 1000, cost=900)]

    assert offered(decide(basket_of("a"), views(products, {("a", "rich"): 9, ("a", "dear"): 9}))) == [
        "rich",
        "dear",
    ]
    assert offered(decide(basket_of("a"), views(products, {("a", "rich"): 9, ("a", "dear"): 10}))) == [
        "dear",
        "rich",
    ]


def test_more_orders_together_win_where_scores_are_equal() -> None:
    # 10 / (70 + 30) is 20 / (170 + 30), and both partners are equally popular.
    known = views([], {("a", "x"): 10, ("b", "y"): 20}, {"a": 70, "b": 170})

    decision = decide(basket_of("a", "b"), known)

    assert len({offer.score for offer in decision.offers}) == 1
    assert offered(decision) == ["y", "x"]


def test_a_basket_may_ask_for_fifty_offers_and_no_more() -> None:
    known = views([], {("a" if n < 50 else "b", f"p{n:02d}"): 60 for n in range(70)})

    assert len(decide(basket_of("a", "b", max_offers=50), known).offers) == 50
    assert len(decide(basket_of("a", "b", max_offers=60), known).offers) == 50
    assert len(decide(basket_of("a", "b"), known).offers) == 5


def test_each_basket_of_a_batch_is_judged_at_its_own_moment() -> None:
    known = views(
        [
            product("x", available_from_ms=NOW_MS),
            product("a", 1000, range_id="r", rung=1),
            product("b", 1100, range_id="r", rung=2, available_from_ms=NOW_MS),
        ],
        {("c", "x"): 42},
    )
    early, late = basket_of("c", ("a", 1000), at_ms=NOW_MS - 1), basket_of("c", ("a", 1000), at_ms=NOW_MS)

    first, second = decide_batch([early, late], known, POLICY, 0)

    assert (offered(first), codes(first)) == ([], {"b": "NOT_YET_AVAILABLE", "x": "NOT_YET_AVAILABLE"})
    assert offered(second) == ["b", "x"]


def test_the_token_of_what_is_added_names_kind_tier_and_category() -> None:
    known = views(
        [product("x"), product("shelved", 500, category=("home", "cups")), product("loose", 900)],
        {("x", "shelved"): 40, ("x", "loose"): 30, ("x", "unlisted"): 20},
    )
    policy = Policy(thresholds={"EUR": 1900}, threshold_reach=0.5)

    offers = decide(basket_of(("x", 1000), tier="gold"), known, policy).offers

    assert {offer.sku: offer.token for offer in offers} == {
        "shelved": "cross_sell|-|gold|cups",
        "loose": "threshold|-|gold|",
        "unlisted": "cross_sell|-|gold|",
    }
