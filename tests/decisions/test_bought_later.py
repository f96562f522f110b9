"""What customers came back for: counted by customer, later and apart, and only above chance."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import bought_later as module
from stream.decisions.bought_later import (
    FEWEST_CUSTOMERS,
    LAG_DAYS,
    Later,
    Purchase,
    bought_later,
    heads_of,
    later_row,
)
from stream.decisions.lines import LineView
from stream.decisions.neighbours import FRACTION, LATER, NeighbourRow
from stream.decisions.scorers import FILL
from tests.decisions.shop import basket, decide, product, views


def diary(*purchases: tuple[str, int]) -> list[Purchase]:
    """Purchases of SKUs named by a letter."""
    return [(sku.encode(), pane) for sku, pane in purchases]


def customers(*told: tuple[int, list[Purchase]]) -> list[list[Purchase]]:
    """So many customers of each diary."""
    return [held for times, held in told for _ in range(times)]


OTHERS = (40, diary(("x", 3)))
"""Customers who buy something else: without any, nobody can do anything more often than by chance."""


def test_whoever_buys_the_other_within_the_lag_came_back_for_it() -> None:
    found = bought_later(
        customers(
            (6, diary(("p", 0), ("i", 7))), (2, diary(("p", 1))), (4, diary(("p", 0), ("i", 31))), OTHERS
        ),
        30,
    )

    assert found == {b"p": Later(12, [(b"i", 6)])}
    assert heads_of(found, b"p", 6) == (12, [(b"i", 6)])
    assert heads_of(found, b"p", 7) == (12, [])
    assert heads_of(found, b"i", 1) == (0, [])


def test_what_was_bought_with_it_or_shortly_before_it_is_nothing_they_came_back_for() -> None:
    together = diary(("p", 5), ("i", 5), ("i", 9))
    before = diary(("p", 5), ("i", 1), ("i", 9))
    long_before = diary(("p", 50), ("i", 1), ("i", 59))

    assert bought_later(customers((9, together), OTHERS), 30) == {}
    assert bought_later(customers((9, before), OTHERS), 30) == {b"i": Later(9, [(b"p", 9)])}
    assert bought_later(customers((9, long_before), OTHERS), 30) == {b"p": Later(9, [(b"i", 9)])}


def test_too_few_customers_and_chance_claim_nothing() -> None:
    back = diary(("p", 0), ("i", 7))

    assert bought_later(customers((FEWEST_CUSTOMERS - 1, back), OTHERS), 30) == {}
    # Everybody who bought anything bought the staple: no more often after this product than after another.
    staple = [diary((sku, 0), ("s", 7)) for sku in "pqr" for _ in range(5)]
    assert bought_later(staple, 30) == {}


def test_many_products_are_cut_to_the_best_of_those_most_customers_buy() -> None:
    some = [diary(("p", 0), *((chr(97 + n), 1 + n) for n in range(8))) for _ in range(9)]
    found = bought_later([*some, *customers(OTHERS)], 30)

    assert [sku for sku, _ in found[b"p"].heads] == [b"a", b"b", b"c", b"d", b"e"]
    most = module.MOST_SKUS
    many = [
        diary((f"p{n:04d}", 0), (f"i{n:04d}", 1))
        for n in range(most + 50)
        for _ in range(3 + (n == most + 49))
    ]
    kept = bought_later(many, 30)
    assert len(kept) == most
    assert next(iter(kept)) == f"p{most + 49:04d}".encode()


def test_only_the_newest_purchases_of_a_customer_are_looked_at() -> None:
    long = diary(("p", 0), ("i", 2), *((f"n{n}", 40 + n) for n in range(module.MOST_PURCHASES)))

    assert b"p" not in bought_later(customers((9, long), OTHERS), 30)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 60)), max_size=12),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_customers_and_purchases_says_nothing(
    diaries: list[list[Purchase]], dice: random.Random
) -> None:
    def shuffled(items: Iterable[list[Purchase]]) -> list[list[Purchase]]:
        mixed = [list(reversed(held)) for held in items]
        dice.shuffle(mixed)
        return mixed

    found = bought_later(diaries, 30)
    assert found == bought_later(shuffled(diaries), 30)
    for later in found.values():
        assert all(FEWEST_CUSTOMERS <= count <= later.customers for _, count in later.heads)


def test_it_is_offered_behind_every_association_and_named_for_what_it_is() -> None:
    known = views(
        [product(sku, title=sku.title()) for sku in ("printer", "paper", "ink")], {("printer", "paper"): 20}
    )
    line = known.lines["printer"]
    row = later_row(line.item, 20, np.array([known.skus.index("ink")]), np.array([10]))
    assert row == NeighbourRow(line.item, row.elements, orders=20, source=LATER)
    assert row.whole_weights() == [round(2.5 * FILL * FRACTION)]
    known.lines.put("printer", LineView(line.item, line.learned, (row,)))

    [paper, ink] = decide(basket("printer"), known).offers

    assert [(offer.sku, offer.reason.code) for offer in (paper, ink)] == [
        ("paper", "CO_PURCHASE"),
        ("ink", "BOUGHT_LATER"),
    ]
    assert ink.reason.evidence == {
        "sku": "printer",
        "customers": 10,
        "of_customers": 20,
        "within_days": LAG_DAYS,
    }
    assert ink.reason.text == "10 of 20 customers with Printer came back for this within 30 days"
