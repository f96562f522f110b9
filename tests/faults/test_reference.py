"""The reference itself, against examples counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.identity import suggestion_id
from tests.faults.load import ORDERS
from tests.faults.proof import Disproved, prove_dead_letters, prove_suggestions, prove_watched
from tests.faults.reference import Record, Reference, Rules, suggestion_ids
from tests.faults.watch import Watch

DAY = 86_400_000


def order(
    offset: int, ident: str, day: int, skus: str, customer: str | None = None, price: int = 100
) -> Record:
    """An order of one piece of each SKU on a day of January 2026, in partition 0."""
    event: dict[str, Any] = {
        "event_id": f"e-{offset}",
        "occurred_at": f"2026-01-{day:02d}T12:00:00+00:00",
        "order_id": ident,
        "currency": "EUR",
        "lines": [{"sku": sku, "quantity": 1, "unit_price": price} for sku in skus],
    }
    if customer is not None:
        event["customer_id"] = customer
    return Record(0, offset, ident.encode(), json.dumps(event).encode())


def returned(offset: int, ident: str, **pieces: int) -> Record:
    """So many pieces of each SKU back; none named means all."""
    event = {
        "event_id": f"return-{offset}",
        "occurred_at": "2026-01-03T12:00:00+00:00",
        "order_id": ident,
        "lines": [{"sku": sku, "quantity": count} for sku, count in pieces.items()],
    }
    return Record(0, offset, ident.encode(), json.dumps(event).encode())


def test_pairs_orders_and_customers_are_counted_as_by_hand() -> None:
    reference = Reference(Rules(pane_ms=DAY))
    reference.place([order(0, "o1", 1, "ab", "c"), order(1, "o2", 2, "abc", "c"), order(2, "o3", 2, "a")])
    rows = reference.rows()

    assert rows["co_purchase", "a", "b"] == rows["co_purchase", "b", "a"] == 2
    assert rows["co_purchase", "b", "c"] == 1
    assert [rows["order_count", sku] for sku in "abc"] == [3, 2, 1]
    assert rows["customer", "c"] == (2, {"EUR": 500}, frozenset({"none"}))
    assert rows["order", "o3", str(20_455)] == ("a",)
    assert rows["diary", "c"] == {("a", 20_454): 1, ("b", 20_454): 1} | dict.fromkeys(
        [(sku, 20_455) for sku in "abc"], 1
    )
    assert len(rows) == 6 + 3 + 3 + 2


def test_an_order_sent_again_is_a_duplicate_until_its_pane_has_left_the_window() -> None:
    reference = Reference(Rules(pane_ms=DAY, window_panes=3))
    reference.place([order(0, "o1", 1, "ab"), order(1, "o1", 2, "ab"), order(2, "o2", 3, "c")])
    assert reference.duplicates == 1
    assert reference.rows()["co_purchase", "a", "b"] == 1

    reference.place([order(3, "o3", 5, "c"), order(4, "o1", 5, "ab"), order(5, "o4", 1, "ab")])
    assert (reference.duplicates, reference.late) == (1, 1)
    assert reference.rows()["co_purchase", "a", "b"] == 1
    assert ("order", "o1", str(20_458)) in reference.rows()


def test_a_return_takes_pieces_and_a_sku_goes_with_its_last_one() -> None:
    reference = Reference(Rules(pane_ms=DAY))
    reference.place([order(0, "o1", 1, "aab", "c"), order(1, "o2", 1, "ab", "c")])
    reference.take_back([returned(0, "o1", a=1), returned(1, "o2"), returned(2, "unknown", a=1)])
    rows = reference.rows()

    assert rows["co_purchase", "a", "b"] == 1
    assert ("order", "o2", str(20_454)) not in rows
    assert rows["customer", "c"] == (1, {"EUR": 200}, frozenset({"none"}))
    reference.take_back([returned(0, "o1", a=1)])
    assert reference.repeated == 1
    assert reference.rows() == rows
    reference.take_back([returned(3, "o1", a=7)])
    assert ("co_purchase", "a", "b") not in reference.rows()


def test_what_an_erased_customer_ordered_until_then_was_never_there() -> None:
    reference = Reference(Rules(pane_ms=DAY))
    reference.place(
        [order(0, "o1", 1, "ab", "c"), order(1, "o2", 3, "ab", "c"), order(2, "o3", 1, "ab", "d")]
    )
    erased = {"customer_id": "c", "occurred_at": "2026-01-02T12:00:00+00:00"}
    reference.erase([Record(0, 0, b"c", json.dumps(erased).encode())])
    rows = reference.rows()

    assert rows["co_purchase", "a", "b"] == 2
    assert rows["customer", "c"] == (1, {"EUR": 200}, frozenset({"none"}))
    assert ("order", "o1", str(20_454)) not in rows
    assert len(reference.claims()) == 3


@pytest.mark.parametrize(
    ("prices", "back", "tiers"),
    [
        ([10_000], 0, {"bronze"}),
        ([9_999], 0, {"none"}),
        ([10_000, 1_000], 1, {"bronze"}),
        ([8_000, 2_000], 1, {"none", "bronze"}),
        ([7_999, 2_001], 1, {"none"}),
    ],
)
def test_a_tier_is_reached_at_its_threshold_and_held_down_to_eight_tenths(
    prices: list[int], back: int, tiers: set[str]
) -> None:
    reference = Reference(Rules(pane_ms=DAY))
    reference.place([order(i, f"o{i}", 1, "a", "c", price) for i, price in enumerate(prices)])
    reference.take_back([returned(i, f"o{len(prices) - 1}") for i in range(back)])
    assert reference.rows()["customer", "c"][-1] == tiers


def test_the_ids_of_answers_are_those_of_the_contract() -> None:
    event = {"basket_id": "b-1", "event_id": "e-1", "occurred_at": "2026-03-01T09:30:12.345+00:00"}
    record = Record(0, 0, b"b-1", json.dumps(event).encode())
    expected = {suggestion_id("basket-updated", "b-1", "e-1", 1772357412345): 2}
    assert suggestion_ids("basket-updated", [record, record]) == expected


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["a"], "no suggestion b"),
        (["a", "b", "c"], "c answers no"),
        (["a", "b", "b"], "1 suggestions came again"),
    ],
)
def test_a_missing_a_foreign_and_a_repeated_answer_are_told(ids: list[str], said: str) -> None:
    assert prove_suggestions(["a", "b"], {"a": 1, "b": 1}, 0) == 0
    with pytest.raises(Disproved, match=said):
        prove_suggestions(ids, {"a": 1, "b": 1}, 0)


def test_a_poisoned_record_without_a_dead_letter_is_told() -> None:
    with pytest.raises(Disproved, match="no dead letter"):
        prove_dead_letters(ORDERS, [], {(ORDERS, 0, 5)}, 0)


def test_what_the_watch_saw_is_held_against_the_bounds() -> None:
    watch = object.__new__(Watch)
    watch.violations, watch.most_rss, watch.most_descriptors, watch.longest_silence_s = [], 1, 1, 5.0
    prove_watched(watch, silence_s=6.0)
    with pytest.raises(Disproved, match="silent for 5"):
        prove_watched(watch, silence_s=4.0)
    watch.violations.append("I4: the commit went back")
    with pytest.raises(Disproved, match="went back"):
        prove_watched(watch, silence_s=6.0)
