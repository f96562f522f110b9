"""What orders say of two products of a range: bought together beyond chance, as chance has it, or less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions.assortment import Assortment
from stream.decisions.lines import UNJUDGED
from stream.decisions.substitutes import are_bought_together, is_as_by_chance, judged
from tests.decisions.shop import basket, decide, offered, product, views
from tests.decisions.test_substitutes import DEPARTMENT


def test_where_orders_are_small_chance_has_less_room() -> None:
    goods = Assortment()
    for entry in DEPARTMENT:
        goods.add(entry.sku, entry)
    bottle, cage, _, wax = range(4)
    orders = np.array([500, 1_000, 40, 2_000])

    def let_in(cages: int, waxes: int, partners: Sequence[int] = (cage, wax)) -> bool:
        counts = np.array([{cage: cages, wax: waxes}[item] for item in partners], np.int64)
        found = judged(bottle, 500, np.array(partners), counts, goods, orders, 10_000)
        return found.lets_in(cage)

    # By chance 50 of the cage's orders hold a bottle; where of the wax's hold half as many as chance has it, 25.
    assert [let_in(cages, 100) for cages in (35, 36)] == [False, True]
    assert [let_in(cages, 50) for cages in (14, 15)] == [False, True]
    # Too few of either say nothing, as before.
    assert not let_in(30, 19)
    # What is bought together more often than chance has it makes no other pair rarer than chance.
    assert [let_in(cages, 900) for cages in (35, 36)] == [False, True]
    assert [let_in(cages, 0, [cage]) for cages in (35, 36)] == [False, True]


@given(st.integers(0, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1_000, 100_000))
def test_what_is_as_by_chance_stays_so_with_more_orders_together(
    together: int, one: int, other: int, total: int
) -> None:
    if is_as_by_chance(together, one, other, total):
        assert is_as_by_chance(together + 1, one, other, total)
        assert one * other >= 10 * total


@given(st.integers(0, 500), st.integers(1, 500), st.integers(1, 500), st.integers(1_000, 100_000))
def test_more_orders_together_are_never_less_sure(together: int, one: int, other: int, total: int) -> None:
    if are_bought_together(together, one, other, total):
        assert are_bought_together(together + 1, one, other, total)
        assert together * total > one * other
        assert together >= 0.15 * min(one, other)


def test_the_odd_order_of_an_office_makes_no_department_of_a_ladder() -> None:
    laptops = [product(s, 50000 + n, range_id="laptops", rung=n) for n, s in enumerate(("plain", "better"))]
    odd = views(laptops, {("plain", "better"): 4}, {"plain": 60, "better": 30}, total=10_000)
    usual = views(laptops, {("plain", "better"): 5}, {"plain": 60, "better": 30}, total=10_000)

    assert offered(decide(basket(("plain", 50000)), odd), "upsell") == ["better"]
    assert offered(decide(basket(("plain", 50000)), usual), "cross_sell") == ["better"]


def test_without_a_range_nothing_is_bought_beside_within_it() -> None:
    known = views(DEPARTMENT, {("bottle", "wax"): 40, ("wax", "cage"): 40})

    assert all(known.lines[sku].judged == UNJUDGED for sku in known.skus)
