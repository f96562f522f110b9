"""What a customer buys in a rhythm: when it is due, how it is offered, and what it gives way to."""

from __future__ import annotations

import doctest

import msgspec
import pytest

from stream.decisions import rhythm
from stream.decisions.examine import examine
from stream.decisions.policy import Pin, Policy
from stream.decisions.rhythm import Rhythm, rhythm_of
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, PAIRS, SHELVES, basket, codes, decide, offered, product, views


def due(known: Views, *skus: str, times: int = 5, every: int = 20, ago: int = 18) -> Views:
    """The views with a customer ann who buys these in a rhythm."""
    rhythms = [
        Rhythm(known.skus.index(sku), times, every * DAY_MS, NOW_MS - (ago + n) * DAY_MS)
        for n, sku in enumerate(skus)
    ]
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(None, tuple(rhythms))})


def test_the_examples_of_rhythms_are_true() -> None:
    assert doctest.testmod(rhythm).failed == 0


@pytest.mark.parametrize(
    ("panes", "every"),
    [([0, 20, 40], 20), ([0, 10, 40], 20), ([0, 1, 41], None), ([0, 0, 0, 30], None), ([5, 6, 7, 8], 1)],
)
def test_a_rhythm_needs_three_purchases_at_like_distances(panes: list[int], every: int | None) -> None:
    found = rhythm_of(1, panes, DAY_MS)

    assert (None if found is None else found.every_ms) == (None if every is None else every * DAY_MS)


def test_a_product_is_due_a_little_before_it_is_expected_until_that_is_clearly_over() -> None:
    every_20_days = Rhythm(0, 3, 20 * DAY_MS, 0)

    assert [
        day for day in range(60) if every_20_days.is_due(day * DAY_MS, Policy(buy_again_until=1.5))
    ] == list(range(15, 31))


def test_what_is_due_is_offered_before_it_runs_out_with_its_numbers() -> None:
    known = due(views(SHELVES, PAIRS), "filters")

    offers = decide(basket("bread", customer="ann"), known).offers

    assert [offer.sku for offer in offers] == ["filters", "milk", "coffee"]
    assert (offers[0].kind, offers[0].reason.code) == ("buy_again", "BUY_AGAIN")
    assert offers[0].reason.evidence == {"times": 5, "every_days": 20.0, "last_days_ago": 18.0}
    assert offers[0].reason.text == "Bought 5 times, every 20 d, last 18 d ago"
    assert (offers[0].title, offers[0].price) == ("Filters", 200)


@pytest.mark.parametrize("ago", [0, 14, 41, 400])
def test_what_is_not_due_yet_or_no_more_is_not_offered(ago: int) -> None:
    known = due(views(SHELVES, PAIRS), "filters", ago=ago)

    assert offered(decide(basket("bread", customer="ann"), known)) == ["milk", "coffee"]


def test_so_much_is_due_as_the_policy_allows_and_what_goes_with_the_basket_is_still_offered() -> None:
    known = due(views(SHELVES, PAIRS), "filters", "coffee", "milk")
    two, none = Policy(max_buy_again=2), Policy(max_buy_again=0)

    def again(policy: Policy) -> list[str]:
        return offered(decide(basket("bread", customer="ann"), known, policy), "buy_again")

    assert (again(Policy()), again(two), again(none)) == (["milk"], ["milk", "coffee"], [])
    assert offered(decide(basket("bread", customer="ann"), known, none)) == ["milk", "coffee"]


def test_what_may_not_be_offered_is_not_offered_again_and_the_next_takes_its_place() -> None:
    shelves = [
        *SHELVES[:2],
        product("milk", 100, range_id="milk", rung=1),
        product("cream", 150, range_id="milk", rung=1),
        product("tea", 400, in_stock=False),
    ]
    known = due(views(shelves, {**PAIRS, ("tea", "bread"): 90}), "filters", "cream", "milk", "tea")

    decision = decide(basket("bread", "milk", customer="ann"), known)

    assert offered(decision, "buy_again") == ["filters"]
    assert codes(decision) == {
        "tea": "OUT_OF_STOCK",
        "milk": "IN_CART",
        "cream": "SAME_RANGE",
        "bread": "IN_CART",
    }


def test_a_product_without_a_catalogue_can_be_due() -> None:
    known = due(views((), PAIRS), "milk")

    [first, _] = decide(basket("bread", customer="ann"), known).offers

    assert (first.sku, first.kind, first.title) == ("milk", "buy_again", None)


def test_pins_stand_before_what_is_due_and_take_the_last_place() -> None:
    policy = Policy(pins=(Pin("tea"),))
    known = due(views(SHELVES, PAIRS, policy=policy), "filters")

    def answer(most: int) -> list[str]:
        return offered(decide(basket("bread", customer="ann", max_offers=most), known, policy))

    assert answer(5) == ["tea", "filters", "milk", "coffee"]
    assert (answer(2), answer(1)) == (["tea", "filters"], ["tea"])


def test_a_rung_that_is_upsold_is_not_due_as_well() -> None:
    rungs = [product(sku, 1000 + n, range_id="r", rung=n) for n, sku in enumerate(("a", "b"))]
    known = due(views(rungs, {("a", "w"): 9}), "b")

    decision = decide(basket(("a", 1000), customer="ann"), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [("upsell", "b"), ("cross_sell", "w")]


def test_what_is_due_counts_for_the_category_cap_and_lets_silence_end() -> None:
    policy = Policy(max_per_category=1)
    known = due(views(SHELVES, PAIRS, policy=policy), "filters")

    assert codes(decide(basket("bread", customer="ann"), known, policy)) == {"coffee": "CATEGORY_CAP"}
    assert codes(decide(basket("unknown", customer="ann"), known, policy)) == {}


def test_examining_tells_what_is_due_and_what_became_of_it() -> None:
    known = due(views(SHELVES, PAIRS), "filters", "tea", "coffee")

    found = examine(basket("bread", "coffee", customer="ann"), known, Policy(), NOW_MS).due

    assert [(each.sku, each.fate) for each in found] == [
        ("coffee", "IN_CART"),
        ("filters", "NO_ROOM"),
        ("tea", "OFFERED"),
    ]
    assert found[1].why == "Bought 5 times, every 20 d, last 18 d ago"
