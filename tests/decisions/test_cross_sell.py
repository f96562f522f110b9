"""Adding a line: what the orders taught, what the catalogue names, and what may not stand together."""

from __future__ import annotations

import pytest

from stream.decisions.candidates import rungs_above
from stream.decisions.codes import BELOW_CONFIDENCE, BELOW_SUPPORT, SAME_RANGE, SUPERSEDED_BY_UPSELL
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
        {("laptop", "mouse"): 40, ("laptop", "other laptop"): 50},
    )

    decision = decide(basket_of(("laptop", 90000)), known)

    assert [(offer.kind, offer.sku, offer.replaces_sku) for offer in decision.offers] == [
        ("cross_sell", "mouse", None)
    ]
    assert "other laptop" in codes(decision)


def test_two_rungs_of_one_range_are_not_both_added() -> None:
    known = views(
        [product("m", range_id="bags", rung=1), product("l", range_id="bags", rung=2), product("x")],
        {("x", "m"): 40, ("x", "l"): 30},
    )

    decision = decide(basket_of("x"), known)

    assert (offered(decision), codes(decision)) == (["m"], {"l": SAME_RANGE})


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
    assert row.keys == b""


@pytest.mark.scenario("S39")
def test_without_a_catalogue_the_orders_alone_decide() -> None:
    offer = decide(basket_of("a"), views([], {("a", "x"): 42})).offers[0]

    assert (offer.sku, offer.title, offer.price, offer.reason.code) == ("x", None, None, "CO_PURCHASE")


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


def test_of_one_category_no_more_than_the_cap() -> None:
    products = [product(sku, category=("drinks", "tea")) for sku in ("t1", "t2", "t3")]
    together = {("a", "t1"): 60, ("a", "t2"): 50, ("a", "t3"): 40, ("a", "u"): 30, ("a", "v"): 20}
    known = views([*products, product("u", category=("drinks", "mugs"))], together)

    capped = decide(basket_of("a"), known, Policy(max_per_category=2))
    free = decide(basket_of("a"), known, Policy(max_per_category=None))

    assert (offered(capped), codes(capped)) == (["t1", "t2", "u", "v"], {"t3": "CATEGORY_CAP"})
    assert offered(free) == ["t1", "t2", "t3", "u", "v"]


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


def test_a_basket_may_ask_for_fifty_offers_and_no_more() -> None:
    known = views([], {("a" if n < 50 else "b", f"p{n:02d}"): 60 for n in range(70)})

    assert len(decide(basket_of("a", "b", max_offers=50), known).offers) == 50
    assert len(decide(basket_of("a", "b", max_offers=60), known).offers) == 50
    assert len(decide(basket_of("a", "b"), known).offers) == 5


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


def test_what_was_dismissed_is_not_added() -> None:
    known = views([product("x")], {("x", "y"): 40, ("x", "z"): 30})

    decision = decide(basket_of("x", dismissed={"y": NOW_MS, "z": 0}), known)

    assert (offered(decision), codes(decision)) == (["z"], {"y": "DISMISSED"})
