"""What the customer bought and what everybody buys: rows of their own, buy-again, reasons, precedence."""

from __future__ import annotations

import doctest

import msgspec
import numpy as np
import pytest

from stream.decisions import rhythm
from stream.decisions.examine import examine
from stream.decisions.habits import HALF_LIFE_DAYS, Habits, habits_of, own_rows
from stream.decisions.model import Decision
from stream.decisions.neighbours import CATEGORY, NeighbourRow, told_row
from stream.decisions.policy import Fallback, Pin, Policy
from stream.decisions.popularity import may_speak, popular_row
from stream.decisions.rhythm import Rhythm, rhythm_of
from stream.decisions.scorers import GRID, SERVED, Scorer
from stream.decisions.views import LineView, Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, basket, codes, decide, offered, product, views

BY_NAME = {scorer.name: scorer for scorer in GRID}
OWN = BY_NAME["baseline+own"]
SHELVES = [
    product("coffee", 600, category=("pantry",)),
    product("filters", 200, category=("pantry",)),
    product("milk", 100, range_id="milk", rung=1),
    product("cream", 150, range_id="milk", rung=1),
    product("tea", 400),
]
PAIRS = {("bread", "milk"): 40, ("bread", "coffee"): 30}


def shopper(known: Views, habits: Habits, scorer: Scorer = OWN) -> Views:
    """The views with a customer ann of these habits."""
    [own] = own_rows(scorer, [habits], 1000)
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(own, habits.rhythms)})


def due(known: Views, *skus: str, times: int = 5, every: int = 20, ago: int = 18) -> Views:
    """The views with a customer ann who buys these in a rhythm."""
    rhythms = [
        Rhythm(known.skus.index(sku), times, every * DAY_MS, NOW_MS - (ago + n) * DAY_MS)
        for n, sku in enumerate(skus)
    ]
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(None, tuple(rhythms))})


def popular(known: Views, orders: dict[str, int], scorer: str = "popularity", total: int = 1000) -> Views:
    items = np.array([known.skus.index(sku) for sku in orders], np.int64)
    row = popular_row(BY_NAME[scorer], items, np.array(list(orders.values()), np.int64), total)
    return msgspec.structs.replace(known, popular={("web", "none"): row})


def reasons(decision: Decision) -> dict[str, str]:
    return {offer.sku: offer.reason.code for offer in decision.offers}


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


def test_habits_count_orders_and_let_older_ones_count_less() -> None:
    habits = habits_of([7, 7, 3, 7], [0, HALF_LIFE_DAYS, HALF_LIFE_DAYS, 2 * HALF_LIFE_DAYS], DAY_MS)

    assert habits.items.tolist() == [3, 7]
    assert habits.times.tolist() == [1, 3]
    assert habits.frequency.tolist() == [0.5, 1.75]
    assert [each.item for each in habits.rhythms] == [7]
    assert len(habits_of([], [], DAY_MS).items) == 0


def test_rows_of_several_customers_are_those_of_each_alone() -> None:
    one, other = habits_of([1, 2, 2], [0, 0, 9], DAY_MS), habits_of([2], [4], DAY_MS)
    boosts = [np.array([1.0, 2.0]), np.array([3.0])]

    assert own_rows(OWN, [], 100) == []
    assert own_rows(OWN, [one, other], 100, boosts) == [
        *own_rows(OWN, [one], 100, boosts[:1]),
        *own_rows(OWN, [other], 100, boosts[1:]),
    ]


def test_what_a_customer_bought_before_is_offered_to_them_alone_and_says_so() -> None:
    known = views(SHELVES, PAIRS)
    known = shopper(known, habits_of([known.skus.index("tea")] * 4, [1, 2, 3, 4], DAY_MS))

    hers = decide(basket("bread", customer="ann"), known)
    theirs = decide(basket("bread", customer="bob"), known)

    assert offered(hers) == [*offered(theirs), "tea"]
    tea = hers.offers[-1]
    assert (tea.kind, tea.reason.code, tea.reason.evidence) == ("cross_sell", "BOUGHT_BEFORE", {"times": 4})
    assert tea.reason.text == "Bought 4 times by this customer"


def test_what_was_bought_before_and_goes_with_a_line_says_both() -> None:
    known = views(SHELVES, PAIRS)
    known = shopper(known, habits_of([known.skus.index("coffee")], [1], DAY_MS))

    [_, first] = sorted(decide(basket("bread", customer="ann"), known).offers, key=lambda o: o.sku != "milk")

    assert (first.sku, first.reason.code) == ("coffee", "BOUGHT_BEFORE")
    assert first.reason.evidence["co_purchase_together"] == 30
    assert first.reason.text.startswith("Bought once by this customer; 30 of 100 orders with bread")


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


def test_popularity_says_whose_orders_it_counted_and_claims_nothing_else() -> None:
    known = popular(views(SHELVES), {"tea": 300, "milk": 200})

    [first, second] = decide(basket("unknown"), known).offers

    assert (first.sku, second.sku, first.kind) == ("tea", "milk", "cross_sell")
    assert first.reason.code == "POPULAR"
    assert first.reason.evidence == {
        "segment": "all customers",
        "orders": 300,
        "of_orders": 1000,
        "window_days": 90,
    }
    assert first.reason.text == "300 of 1000 orders in 90 days had this (all customers)"
    assert first.score == pytest.approx(301 / 1001)
    assert offered(decide(basket("unknown", channel="pos"), known)) == []


def test_an_association_gives_the_reason_before_popularity_does_unless_it_speaks_against() -> None:
    known = popular(views(SHELVES, PAIRS), {"tea": 300, "milk": 200, "cream": 100})
    against = told_row(2, known.skus.index("bread"), {known.skus.index("tea"): -0.01})
    lines = {**known.lines, "other": LineView(known.skus.index("bread"), (against,))}
    known = msgspec.structs.replace(known, lines=lines)

    assert reasons(decide(basket("bread"), known)) == {
        "tea": "POPULAR",
        "milk": "CO_PURCHASE",
        "coffee": "CO_PURCHASE",
    }
    assert reasons(decide(basket("other"), known))["tea"] == "POPULAR"


def test_where_everything_speaks_against_a_product_it_is_no_offer() -> None:
    known = views(SHELVES, PAIRS)
    tea, bread = known.skus.index("tea"), known.skus.index("bread")
    known = msgspec.structs.replace(
        known, lines={"bread": LineView(bread, (told_row(4, bread, {tea: -1.0}),))}
    )

    assert codes(decide(basket("bread"), known)) == {"tea": "BELOW_CONFIDENCE"}
    assert reasons(decide(basket("bread"), known, Policy(min_score=-2.0))) == {"tea": "COMPLEMENT"}


def test_categories_that_go_together_name_both_and_their_orders() -> None:
    shelves = [*SHELVES, product("mug", 900, category=("kitchen", "cups"))]
    known = views([*shelves, product("new-roast", 700, category=("pantry",))])
    roast, mug = known.skus.index("new-roast"), known.skus.index("mug")
    told = told_row(CATEGORY, roast, {mug: 1e-5})
    row = NeighbourRow(
        roast, told.keys, np.array([[9_999, 40]]).tobytes(), 200, source=CATEGORY, about="cups"
    )
    known = msgspec.structs.replace(known, lines={"new-roast": LineView(roast, (row,))})

    [offer] = decide(basket("new-roast"), known).offers

    assert (offer.sku, offer.reason.code) == ("mug", "CATEGORY_PAIR")
    assert offer.reason.evidence == {
        "sku": "new-roast",
        "category": "pantry",
        "goes_with": "cups",
        "together": 40,
        "orders": 200,
        "window_days": 90,
    }
    assert (
        offer.reason.text == "40 of 200 orders with something of pantry in 90 days also had something of cups"
    )


@pytest.mark.parametrize(
    ("fallback", "scorer", "measured", "speaks"),
    [
        ("measured", "popularity", True, True),
        ("measured", "popularity", False, False),
        ("measured", SERVED.name, True, False),
        ("popular", SERVED.name, False, True),
        ("none", "popularity", True, False),
    ],
)
def test_popularity_speaks_where_it_was_measured_or_the_shop_wants_it(
    fallback: Fallback, scorer: str, measured: bool, speaks: bool
) -> None:
    assert may_speak(BY_NAME[scorer], Policy(fallback=fallback), measured) is speaks


def test_examining_tells_of_rows_that_are_no_lines() -> None:
    known = popular(views(SHELVES, PAIRS), {"milk": 200})

    [first, *_] = examine(basket("bread"), known, Policy(), NOW_MS).candidates

    assert [(voice.source, voice.sku) for voice in first.voices] == [("orders", "bread"), ("popular", "")]


def test_what_goes_with_the_category_of_a_replaced_line_is_not_told_as_lost() -> None:
    rungs = [product(sku, 1000 + n, range_id="r", rung=n) for n, sku in enumerate(("a", "b"))]
    known = views([*rungs, product("mug")], {("a", "w"): 9}, {"b": 40})
    a = known.lines["a"]
    row = msgspec.structs.replace(told_row(CATEGORY, a.item, {known.skus.index("mug"): 1e-5}), about="cups")
    lines = {**known.lines, "a": LineView(a.item, (*a.rows, row), a.ranged)}

    decision = decide(basket(("a", 1000)), msgspec.structs.replace(known, lines=lines))

    assert offered(decision, "upsell") == ["b"]
    assert "mug" not in codes(decision)


def test_examining_tells_what_is_due_and_what_became_of_it() -> None:
    known = due(views(SHELVES, PAIRS), "filters", "tea", "coffee")

    found = examine(basket("bread", "coffee", customer="ann"), known, Policy(), NOW_MS).due

    assert [(each.sku, each.fate) for each in found] == [
        ("coffee", "IN_CART"),
        ("filters", "NO_ROOM"),
        ("tea", "OFFERED"),
    ]
    assert found[1].why == "Bought 5 times, every 20 d, last 18 d ago"
