"""Ranges are judged by orders: what is bought together is no substitute, what has another use is no step up."""

from __future__ import annotations

import doctest
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import substitutes
from stream.decisions.examine import examine
from stream.decisions.ladder import build_ladder
from stream.decisions.lines import Judged, Lines, LineView
from stream.decisions.neighbours import CATALOGUE, FRACTION, NeighbourRow, packed, told_row
from stream.decisions.policy import Policy
from stream.decisions.substitutes import (
    ALIKE_PERCENT,
    FEWEST_EXPECTED,
    PARTNERS_COMPARED,
    has_other_use,
    spoken_against,
)
from tests.decisions.shop import NOW_MS, POLICY, basket, codes, decide, offered, product, views
from tests.decisions.test_buy_again import due

TRUSTING = Policy(trust_ranges=True)
DEPARTMENT = [
    product("bottle", 500, range_id="bottles and cages", rung=1),
    product("cage", 700, range_id="bottles and cages", rung=2),
    product("mug", 600, range_id="bottles and cages", rung=1),
    product("wax", 300),
]


def test_the_examples_are_true() -> None:
    assert doctest.testmod(substitutes).failed == 0


def row(
    item: int, orders: int, partners: Mapping[int, tuple[float, int]] | Sequence[tuple[int, float, int]]
) -> NeighbourRow:
    """A learned row of (weight, orders that held both) by item."""
    found = [(i, w, n) for i, (w, n) in partners.items()] if isinstance(partners, Mapping) else partners
    items, counts = (np.array([part[at] for part in found], np.int64) for at in (0, 2))
    weights = np.rint(np.array([part[1] for part in found]) * FRACTION).astype(np.int64)
    return NeighbourRow(item, packed(items, weights, counts), orders)


def test_what_is_bought_beside_a_line_of_its_range_is_added_and_not_put_in_its_place() -> None:
    known = views(DEPARTMENT, {("bottle", "cage"): 40, ("bottle", "wax"): 20})

    decision = decide(basket(("bottle", 500)), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [
        ("cross_sell", "cage"),
        ("cross_sell", "wax"),
    ]
    assert codes(decision) == {}
    alone = decide(
        basket(("bottle", 500)),
        views(DEPARTMENT, {("bottle", "cage"): 40, ("bottle", "wax"): 20}),
        Policy(bans=frozenset({"wax"})),
    )
    assert offered(alone) == ["cage"]


def test_what_is_bought_beside_each_other_only_by_chance_is_still_a_step_up() -> None:
    pairs = {("bottle", "cage"): 12, ("wax", "cage"): 40, ("bottle", "wax"): 20}
    known = views(DEPARTMENT, pairs, total=1_000)

    decision = decide(basket(("bottle", 500), ("wax", 300)), known)

    assert [(offer.kind, offer.sku) for offer in decision.offers] == [("upsell", "cage")]


@pytest.mark.parametrize(("together", "lets_in"), [(3, False), (4, True), (12, True)])
def test_what_is_bought_with_a_line_as_often_as_chance_has_it_does_not_replace_it(
    together: int, lets_in: bool
) -> None:
    # Chance expects ten orders with both.
    known = views(DEPARTMENT, {("bottle", "cage"): together, ("wax", "cage"): 40}, total=1_000)

    decision = decide(basket(("bottle", 500), ("wax", 300)), known, Policy(max_upsells=0))

    assert (offered(decision) == ["cage"]) is lets_in
    assert (codes(decision).get("cage") == "SAME_RANGE") is not lets_in


def test_too_few_orders_for_chance_to_expect_any_leave_the_catalogue_its_word() -> None:
    known = views(DEPARTMENT, {("bottle", "cage"): 12, ("wax", "cage"): 40}, total=1_001)

    decision = decide(basket(("bottle", 500), ("wax", 300)), known, Policy(max_upsells=0))

    assert codes(decision)["cage"] == "SAME_RANGE"


def test_every_line_of_the_range_has_to_be_bought_with_what_is_added() -> None:
    known = views(DEPARTMENT, {("bottle", "cage"): 40})

    decision = decide(basket(("bottle", 500), ("mug", 600)), known, Policy(max_upsells=0))

    assert (offered(decision), codes(decision)) == ([], {"cage": "SAME_RANGE"})


def test_a_shop_that_knows_its_ranges_better_has_the_last_word() -> None:
    known = views(DEPARTMENT, {("bottle", "cage"): 40}, policy=TRUSTING)

    up = decide(basket(("bottle", 500)), known, TRUSTING)
    full = decide(basket(("bottle", 500)), known, Policy(trust_ranges=True, max_upsells=0))

    assert [(offer.kind, offer.sku) for offer in up.offers] == [("upsell", "cage")]
    assert codes(full) == {"cage": "SAME_RANGE"}


def test_what_is_due_keeps_to_the_ranges_of_the_cart_and_nothing_is_offered_instead_of_it() -> None:
    known = views(DEPARTMENT, {("bottle", "cage"): 40, ("wax", "mug"): 30, ("wax", "cage"): 20})
    asked = basket(("bottle", 500), customer="ann")

    assert offered(decide(asked, due(known, "cage")), "buy_again") == ["cage"]
    assert offered(decide(asked, due(known, "mug")), "buy_again") == []
    decision = decide(basket(("wax", 300), customer="ann"), due(known, "bottle"))
    assert (offered(decision), codes(decision)) == (["bottle"], dict.fromkeys(("cage", "mug"), "SAME_RANGE"))


def test_of_two_due_products_of_a_range_one_is_offered() -> None:
    known = due(views(DEPARTMENT, {("wax", "mug"): 30}), "cage", "mug")

    decision = decide(basket(("wax", 300), customer="ann"), known, Policy(max_buy_again=2))

    assert (offered(decision), codes(decision)["cage"]) == (["mug"], "SAME_RANGE")


TYRES = [
    product("road tyre", 2000, range_id="tyres and tubes", rung=3),
    product("mountain tyre", 2500, range_id="tyres and tubes", rung=4),
    product("better road tyre", 2600, range_id="tyres and tubes", rung=5),
    product("road tube", 300, range_id="tyres and tubes", rung=1),
    product("mountain tube", 400, range_id="tyres and tubes", rung=2),
]
TUBES = {
    ("road tyre", "road tube"): 60,
    ("better road tyre", "road tube"): 55,
    ("mountain tyre", "mountain tube"): 60,
}


def test_the_next_rung_that_serves_something_else_is_passed_over() -> None:
    known = views(TYRES, TUBES)

    decision = decide(basket(("road tyre", 2000)), known)

    assert offered(decision, "upsell") == ["better road tyre"]
    assert codes(decision)["mountain tyre"] == "OTHER_USE"
    assert offered(decide(basket(("road tyre", 2000)), known, TRUSTING), "upsell") == ["mountain tyre"]


def test_an_examination_says_what_orders_say_of_rungs() -> None:
    bottles = examine(basket(("bottle", 500)), views(DEPARTMENT, {("bottle", "cage"): 40}), POLICY, NOW_MS)
    tyres = examine(basket(("road tyre", 2000)), views(TYRES, TUBES), POLICY, NOW_MS)

    assert [(rung.sku, rung.fate) for rung in bottles.rungs] == [("cage", "BOUGHT_TOGETHER")]
    assert [(entry.sku, entry.fate) for entry in bottles.candidates] == [("cage", "OFFERED")]
    assert [(rung.sku, rung.fate) for rung in tyres.rungs] == [
        ("better road tyre", "OFFERED"),
        ("mountain tyre", "OTHER_USE"),
    ]


def test_rungs_of_a_range_in_which_nothing_is_bought_together_may_have_accessories_of_their_own() -> None:
    phones = [product(s, 50000 + n, range_id="phones", rung=n) for n, s in enumerate(("phone-a", "phone-b"))]
    known = views(phones, {("phone-a", "case-a"): 60, ("phone-b", "case-b"): 60})

    assert offered(decide(basket(("phone-a", 50000)), known)) == ["phone-b", "case-b"]


BESIDE = frozenset({7})
LADDER = build_ladder([product("a", range_id="r", rung=1), product("b", range_id="r", rung=2)], POLICY)


def lines(own: NeighbourRow | None, its: NeighbourRow | None, beside: frozenset[int] = BESIDE) -> Lines:
    return Lines({"a": LineView(0, own, judged=Judged(beside)), "b": LineView(1, its)})


def test_nothing_speaks_against_a_rung_that_orders_do_not_know() -> None:
    own, its = row(0, 100, {5: (0.5, 50)}), row(1, 100, {6: (0.5, 50)})
    named = LineView(0, None, (told_row(CATALOGUE, 0, {5: 1.0}),), judged=Judged(BESIDE))

    assert spoken_against("a", "b", LADDER, Lines()) is None
    assert spoken_against("a", "b", LADDER, Lines({"a": LineView(0, own, judged=Judged(BESIDE))})) is None
    assert spoken_against("a", "b", LADDER, lines(None, its)) is None
    assert spoken_against("a", "b", LADDER, lines(own, None)) is None
    assert spoken_against("a", "b", LADDER, Lines({"a": named, "b": LineView(1, its)})) is None
    assert spoken_against("a", "b", LADDER, lines(own, its, frozenset())) is None
    assert spoken_against("a", "b", LADDER, lines(own, its, frozenset({1}))) == "BOUGHT_TOGETHER"
    assert spoken_against("a", "b", LADDER, lines(own, its)) == "OTHER_USE"


def test_a_use_is_reckoned_again_only_when_one_of_the_rows_is_another() -> None:
    own, its, alike = row(0, 100, {5: (0.5, 50)}), row(1, 100, {6: (0.5, 50)}), row(1, 100, {5: (0.5, 50)})
    ladder = build_ladder(LADDER.rungs, POLICY)

    answers = [spoken_against("a", "b", ladder, lines(own, each)) for each in (its, its, alike, its)]

    assert answers == ["OTHER_USE", "OTHER_USE", None, "OTHER_USE"]
    assert list(ladder.uses) == [("a", "b")]


def test_a_use_needs_enough_orders_to_be_told() -> None:
    own = row(0, 100, {5: (0.5, 50)})

    assert not has_other_use(own, row(1, 9, {}))
    assert has_other_use(own, row(1, 10, {}))
    assert not has_other_use(row(0, 100, {5: (-0.5, 50)}), row(1, 100, {}))
    assert not has_other_use(row(0, 100, {1: (0.5, 50)}), row(1, 100, {}))


@pytest.mark.parametrize(("partners", "other"), [(39, True), (40, False), (50, False)])
def test_what_had_no_room_in_a_full_list_is_given_the_count_of_the_last_one_in_it(
    partners: int, other: bool
) -> None:
    own, full = row(0, 100, {5: (0.5, 40)}), row(1, 100, {100 + n: (0.1, 40) for n in range(partners)})

    assert has_other_use(own, full) is other


def test_only_the_heaviest_partners_of_a_line_are_compared() -> None:
    own = row(0, 100, {5: (0.1, 90)} | {10 + n: (0.5, 5) for n in range(10)})
    its = row(1, 100, {10 + n: (0.5, 5) for n in range(10)})

    assert not has_other_use(own, its)
    assert has_other_use(row(0, 100, {5: (0.5, 90)} | {10 + n: (0.5, 5) for n in range(10)}), its)


def test_of_the_heads_behind_a_full_list_none_counts_as_its_last_partner() -> None:
    own = row(0, 100, {5: (0.5, 40)})
    its = {100 + n: (0.1, 40) for n in range(50)} | {200 + n: (-0.1, 0) for n in range(20)}

    assert not has_other_use(own, row(1, 100, its))


COUNTS = st.integers(0, 40)
PARTNERS = st.lists(
    st.tuples(st.integers(2, 30), st.sampled_from([-0.5, 0.1, 0.1, 0.2, 0.4]), COUNTS),
    max_size=14,
    unique_by=lambda entry: entry[0],
)


@given(PARTNERS, PARTNERS, st.integers(1, 200), st.integers(1, 200), st.data())
def test_the_use_of_a_rung_is_that_of_the_formula_in_any_order(
    line: list[tuple[int, float, int]],
    rung: list[tuple[int, float, int]],
    line_orders: int,
    rung_orders: int,
    data: st.DataObject,
) -> None:
    speaking = sorted((-w, n, i) for i, w, n in line if w > 0)
    last = speaking[:PARTNERS_COMPARED][-1][0] if speaking else 0
    shares = [(n, i) for w, n, i in speaking if w <= last]
    met = {i: n for i, _, n in rung}
    expected = sum(rung_orders * n for n, _ in shares)
    observed = sum(min(rung_orders * n, line_orders * met.get(i, 0)) for n, i in shares)
    reckoned = expected >= FEWEST_EXPECTED * line_orders and observed < expected * ALIKE_PERCENT / 100

    shuffled = row(0, line_orders, data.draw(st.permutations(line)))

    assert has_other_use(shuffled, row(1, rung_orders, data.draw(st.permutations(rung)))) is reckoned
