"""The shop's will: bans, boosts, pins, complements by hand, thresholds, and what differs by channel and tier."""

from __future__ import annotations

import msgspec
import pytest

from stream.decisions.policy import Companion, Pin, Policy, Rule
from tests.decisions.shop import basket as basket_of
from tests.decisions.shop import codes, decide, offered, product, views

PAIRS = {("a", "x"): 40, ("a", "y"): 30, ("a", "z"): 20}
SHELVES = [
    product("a", 1000),
    product("x", 500, category=("garden", "chairs")),
    product("y", 600),
    product("z", 700),
]


def asked(policy: Policy, *lines: str | tuple[str, int], **more: object) -> list[str]:
    return offered(decide(basket_of(*lines, **more), views(SHELVES, PAIRS, policy=policy), policy))


def test_what_the_shop_bans_is_never_offered_and_the_answer_says_so() -> None:
    policy = Policy(bans=frozenset({"y"}), banned_categories=frozenset({"garden"}))

    decision = decide(basket_of("a"), views(SHELVES, PAIRS, policy=policy), policy)

    assert offered(decision) == ["z"]
    assert codes(decision) == {"x": "BANNED", "y": "BANNED"}


def test_a_banned_rung_is_no_upsell_and_an_unlisted_ban_counts_too() -> None:
    rungs = [product(sku, 1000 + n, range_id="r", rung=n) for n, sku in enumerate(("a", "b"))]
    policy = Policy(bans=frozenset({"b", "w"}))

    decision = decide(basket_of(("a", 1000)), views(rungs, {("a", "w"): 9}, policy=policy), policy)

    assert offered(decision) == []
    assert codes(decision) == {"b": "BANNED", "w": "BANNED"}


def test_a_boost_is_a_factor_on_the_score_and_several_multiply() -> None:
    plain = asked(Policy(), "a")
    boosted = Policy(boosts={"z": 3.0}, category_boosts={"garden": 0.1})

    assert plain == ["x", "y", "z"]
    assert asked(boosted, "a") == ["z", "y", "x"]
    assert Policy(boosts={"x": 2.0}, category_boosts={"garden": 3.0, "chairs": 0.5}).boost(
        "x", ("garden", "chairs")
    ) == pytest.approx(3.0)


def test_a_pin_stands_first_whatever_the_orders_say() -> None:
    policy = Policy(pins=(Pin("z"), Pin("never-seen")))

    decision = decide(basket_of("a"), views(SHELVES, PAIRS, policy=policy), policy)

    assert offered(decision) == ["z", "never-seen", "x", "y"]
    first, second = decision.offers[:2]
    assert (first.reason.code, first.reason.evidence["co_purchase_together"]) == ("PINNED", 20)
    assert (second.reason.code, second.reason.evidence, second.reason.text) == (
        "PINNED",
        {},
        "Chosen by the shop",
    )


def test_a_pin_beside_something_waits_for_it_and_is_judged_like_any_offer() -> None:
    policy = Policy(pins=(Pin("p", beside=("b", "c")), Pin("sold-out"), Pin("a")))
    known = views([*SHELVES, product("sold-out", in_stock=False)], PAIRS, policy=policy)

    without, beside = (decide(basket_of(*lines), known, policy) for lines in (("a",), ("a", "c")))

    assert offered(without) == ["x", "y", "z"]
    assert codes(without) == {"sold-out": "OUT_OF_STOCK", "a": "IN_CART"}
    assert offered(beside) == ["p", "x", "y", "z"]


def test_a_complement_by_hand_takes_the_place_of_the_catalogues_word() -> None:
    bike = product("bike", complements=(("pump", 1.0), ("bell", 0.5), ("bike", 1.0)))
    policy = Policy(
        complements=(Companion("bike", "bell", 2.0), Companion("unlisted", "pump"), Companion("bike", "bike"))
    )
    known = views([bike], policy=policy)

    decision = decide(basket_of("bike"), known, policy)

    assert [(offer.sku, offer.score) for offer in decision.offers] == [("bell", 2.0), ("pump", 1.0)]
    assert decision.offers[0].reason.evidence == {"sku": "bike", "weight": 2.0}
    assert offered(decide(basket_of("unlisted"), known, policy)) == ["pump"]


def test_a_basket_is_lifted_over_a_threshold_by_the_least_among_what_suits_it() -> None:
    policy = Policy(max_offers=2, thresholds={"EUR": 2000})
    lines = ("a", 1400)

    decision = decide(basket_of(lines), views(SHELVES, PAIRS, policy=policy), policy)

    assert [(offer.sku, offer.kind) for offer in decision.offers] == [("x", "cross_sell"), ("y", "threshold")]
    lift = decision.offers[1]
    assert lift.reason.code == "THRESHOLD"
    assert (lift.reason.evidence["missing"], lift.reason.evidence["together"]) == (600, 30)
    assert lift.reason.text.startswith("6.00 EUR short of 20.00 EUR; 30 of 100 orders with A")


def test_a_lift_from_further_down_takes_the_last_place() -> None:
    policy = Policy(max_offers=1, thresholds={"EUR": 2000}, threshold_reach=0.4)

    decision = decide(basket_of(("a", 1350)), views(SHELVES, PAIRS, policy=policy), policy)

    assert [(offer.sku, offer.kind) for offer in decision.offers] == [("z", "threshold")]


@pytest.mark.parametrize(
    ("line", "currency", "why"),
    [
        (("a", 2000), "EUR", "it is reached"),
        (("a", 300), "EUR", "too much is missing"),
        ("a", "EUR", "a price is not known"),
        (("a", 1400), "USD", "there is none for the currency"),
        (("a", 1250), "EUR", "nothing that suits costs that much"),
    ],
)
def test_without_a_lift_the_offers_are_as_ever(line: str | tuple[str, int], currency: str, why: str) -> None:
    policy = Policy(thresholds={"EUR": 2000}, threshold_reach=0.4)
    goods = [msgspec.structs.replace(entry, currency=currency) for entry in SHELVES]

    decision = decide(basket_of(line, currency=currency), views(goods, PAIRS, policy=policy), policy)

    assert [(offer.sku, offer.kind) for offer in decision.offers] == [(s, "cross_sell") for s in "xyz"], why


def test_a_product_the_catalogue_does_not_know_lifts_nothing() -> None:
    policy = Policy(thresholds={"EUR": 2000})

    decision = decide(basket_of(("a", 1900)), views(SHELVES[:1], PAIRS, policy=policy), policy)

    assert {offer.kind for offer in decision.offers} == {"cross_sell"}


def test_rules_change_the_policy_for_a_channel_and_a_tier() -> None:
    policy = Policy(
        bans=frozenset({"x"}),
        rules=(
            Rule(channel="pos", max_offers=1),
            Rule(tier="gold", max_offers=3, bans=frozenset({"y"}), pins=(Pin("p"),)),
            Rule(channel="pos", tier="gold", max_offers=2),
        ),
    )

    assert asked(policy, "a") == ["y", "z"]
    assert asked(policy, "a", channel="pos") == ["y"]
    assert asked(policy, "a", tier="gold") == ["p", "z"]
    assert asked(policy, "a", channel="pos", tier="gold") == ["p", "z"]
    assert policy.pinned() == ["p"]
    assert policy.seen_by("pos", "gold").version == policy.version
    assert policy.seen_by("web", "none") is policy


def test_the_version_names_the_content_and_not_the_order_of_a_set() -> None:
    versions = {
        Policy(bans=frozenset(bans), rules=(Rule(bans=frozenset(bans)),)).version
        for bans in (("a", "b", "c"), ("c", "b", "a"))
    }

    assert len(versions) == 1
    assert versions != {Policy(bans=frozenset("abc")).version}
    assert Policy(version="chosen").version == Policy().version
