"""What the customer bought: habits, rows of their own, and the reason that says so."""

from __future__ import annotations

import msgspec
import numpy as np

from stream.decisions.candidates import consider_all
from stream.decisions.decide import decide_batch, seen_policies
from stream.decisions.habits import HALF_LIFE_DAYS, Habits, habits_of, own_rows
from stream.decisions.neighbours import NOBODY, NeighbourRow, packed
from stream.decisions.neighbours import OWN as BOUGHT
from stream.decisions.scorers import GRID, Scorer
from stream.decisions.scoring import in_chunks
from stream.decisions.views import Shopper, Views
from stream.decisions.window import DAY_MS
from tests.decisions.shop import NOW_MS, PAIRS, POLICY, SHELVES, basket, decide, offered, views

[OWN] = [scorer for scorer in GRID if scorer.name == "baseline+own"]


def shopper(known: Views, habits: Habits, scorer: Scorer = OWN) -> Views:
    """The views with a customer ann of these habits."""
    [own] = own_rows(scorer, [habits], 1000)
    return msgspec.structs.replace(known, shoppers={"ann": Shopper(own, habits.rhythms)})


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


def test_a_batch_of_customers_who_bought_thousands_of_products_is_decided_as_each_of_them_alone() -> None:
    bought = [f"sku-{n}" for n in range(5_000)]
    known = views([], PAIRS, numbering=bought)
    ones = np.ones(len(bought), np.int64)
    rows = [
        packed(np.arange(len(bought)), ones * 1000 + np.roll(np.arange(5_000), n), ones) for n in range(250)
    ]
    own = {str(n): Shopper(NeighbourRow(NOBODY, row, source=BOUGHT)) for n, row in enumerate(rows)}
    known = msgspec.structs.replace(known, shoppers=own)
    baskets = [basket("unheard of", customer=name) for name in own]

    considered = consider_all(baskets, known, seen_policies(baskets, POLICY), NOW_MS)

    assert max(len(chunk) for chunk in in_chunks(considered)) < 25
    together = decide_batch(baskets, known, POLICY, NOW_MS)
    for at in (0, 7, 249):
        assert together[at] == decide(baskets[at], known)
        assert together[at].offers[0].sku == bought[(at - 1) % 5_000]
