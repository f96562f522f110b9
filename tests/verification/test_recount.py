"""The recount against an even simpler count, and its rules one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.events import CustomerErased, OrderLine, OrderPlaced, OrderReturned, ReturnedLine
from stream.verification.recount import LoggedOrder, LoggedReturn, Recount, recount
from stream.verification.rules import Rules

DAY0 = datetime(2020, 1, 1, tzinfo=UTC)
PANE0 = 18_262
"""Days from 1970 to DAY0."""

RULES = Rules(window_panes=3, customer_window_panes=5, tiers=(("none", 0), ("bronze", 100), ("silver", 500)))


def order(
    order_id: str,
    day: int,
    skus: Iterable[str],
    *,
    customer: str | None = None,
    price: int = 10,
    quantity: int = 1,
) -> OrderPlaced:
    return OrderPlaced(
        event_id=order_id,
        occurred_at=DAY0 + timedelta(days=day),
        channel="web",
        order_id=order_id,
        customer_id=customer,
        currency="EUR",
        lines=[OrderLine(sku, quantity, price) for sku in skus],
    )


def returned(order_id: str, *lines: tuple[str, int], event_id: str = "", day: int = 0) -> LoggedReturn:
    event = OrderReturned(
        event_id=event_id or f"r-{lines}",
        occurred_at=DAY0 + timedelta(days=day),
        channel="web",
        order_id=order_id,
        reason="returned",
        lines=[ReturnedLine(sku, quantity) for sku, quantity in lines],
    )
    return LoggedReturn(0, 0, event)


def log(*orders: OrderPlaced, partition: int = 0) -> list[LoggedOrder]:
    return [LoggedOrder(partition, offset, event) for offset, event in enumerate(orders)]


def table(result: Recount, name: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "table"} for row in result.rows() if row["table"] == name]


def counts(result: Recount) -> dict[str, int]:
    return {row["sku"]: row["count"] for row in table(result, "order_count")}


def test_an_order_counts_every_pair_in_both_directions() -> None:
    result = recount(log(order("1", 0, ["b", "a", "a", "c"])), rules=RULES)

    assert [(row["sku"], row["partner"], row["count"]) for row in table(result, "co_purchase")] == [
        ("a", "b", 1),
        ("a", "c", 1),
        ("b", "a", 1),
        ("b", "c", 1),
        ("c", "a", 1),
        ("c", "b", 1),
    ]
    assert table(result, "order") == [{"order_id": "1", "pane": PANE0, "skus": ["a", "b", "c"]}]


def test_panes_leave_with_the_newest_pane_of_all_partitions() -> None:
    #   day        0  1  2  3
    #   partition  0           1
    #   window           [1  2  3]
    result = recount(
        [*log(order("old", 0, ["a"]), order("mid", 1, ["b"])), *log(order("new", 3, ["c"]), partition=1)],
        rules=RULES,
    )

    assert counts(result) == {"b": 1, "c": 1}
    assert result.late == 0


def test_an_order_is_late_by_its_own_partition_alone() -> None:
    late = order("x", 0, ["a"])

    same = recount(log(order("new", 3, ["c"]), late), rules=RULES)
    other = recount([*log(order("new", 3, ["c"])), *log(late, partition=1)], rules=RULES)

    assert (same.late, other.late) == (1, 0)
    assert counts(same) == counts(other) == {"c": 1}


def test_the_same_order_id_counts_once() -> None:
    result = recount(log(order("1", 0, ["a"]), order("1", 1, ["b"])), rules=RULES)

    assert counts(result) == {"a": 1}
    assert result.duplicates == 1


def test_an_order_id_used_again_after_the_window_is_a_new_order() -> None:
    result = recount(log(order("1", 0, ["a"], customer="c"), order("1", 4, ["b"], customer="c")), rules=RULES)

    assert counts(result) == {"b": 1}
    assert table(result, "customer")[0]["orders"] == 2


def test_of_a_monster_order_the_fifty_smallest_digests_count() -> None:
    skus = [f"sku-{n}" for n in range(80)]
    result = recount(log(order("1", 0, skus)), rules=RULES)

    by_digest = sorted(skus, key=lambda sku: blake2b(sku.encode()).digest()[:8])
    assert table(result, "order")[0]["skus"] == sorted(by_digest[:50])
    assert len(table(result, "co_purchase")) == 50 * 49


def test_spend_and_orders_of_a_customer_cover_the_longer_window() -> None:
    result = recount(
        log(
            order("1", 0, ["a"], customer="c"),
            order("2", 1, ["a", "b"], customer="c", quantity=2),
            order("3", 5, ["a"], customer="c"),
        ),
        rules=RULES,
    )

    assert table(result, "customer") == [
        {"customer_id": "c", "orders": 2, "spend": {"EUR": 50}, "tier": ("none",)}
    ]


def test_a_spend_of_nothing_is_not_shown() -> None:
    result = recount(log(order("1", 0, ["a"], customer="c", price=0)), rules=RULES)

    assert table(result, "customer")[0]["spend"] == {}


def test_a_tier_that_may_be_held_from_earlier_is_right_as_well() -> None:
    # 90 bought on day 0 and on day 5: whoever saw both at once saw bronze, and 90 keeps it.
    result = recount(
        log(order("1", 0, ["a"], customer="c", price=90), order("2", 5, ["a"], customer="c", price=90)),
        rules=RULES,
    )

    assert table(result, "customer")[0]["tier"] == ("none", "bronze")


def test_a_sku_leaves_with_its_last_piece() -> None:
    placed = log(order("1", 0, ["a", "b"], customer="c", quantity=2))

    part = recount(placed, [returned("1", ("a", 1))], rules=RULES)
    last = recount(placed, [returned("1", ("a", 1)), returned("1", ("a", 7))], rules=RULES)

    assert counts(part) == {"a": 1, "b": 1}
    assert table(part, "customer")[0]["spend"] == {"EUR": 30}
    assert counts(last) == {"b": 1}
    assert table(last, "customer")[0]["spend"] == {"EUR": 20}
    assert table(last, "co_purchase") == []


def test_an_order_that_came_back_whole_is_no_order_of_the_customer() -> None:
    placed = log(order("1", 0, ["a", "b"], customer="c"))

    assert list(recount(placed, [returned("1")], rules=RULES).rows()) == []


def test_a_return_of_an_unknown_order_does_nothing() -> None:
    placed = log(order("1", 0, ["a"]))

    assert counts(recount(placed, [returned("2", ("a", 1))], rules=RULES)) == {"a": 1}


def test_a_return_of_an_order_that_has_left_the_window_does_nothing() -> None:
    placed = log(order("1", 0, ["a"], customer="c"), order("2", 4, ["b"]))

    in_time = recount(placed, [returned("1", day=2)], rules=RULES)
    too_late = recount(placed, [returned("1", day=3)], rules=RULES)

    assert table(in_time, "customer") == []
    assert table(too_late, "customer")[0]["orders"] == 1


def test_a_return_sent_twice_counts_once() -> None:
    placed = log(order("1", 0, ["a", "b"], customer="c", quantity=2))
    one, same = returned("1", ("a", 1), event_id="x"), returned("1", ("a", 1), event_id="x")

    result = recount(placed, [one, same], rules=RULES)

    assert counts(result) == {"a": 1, "b": 1}
    assert result.repeated == 1


def test_an_erased_customers_orders_are_as_if_never_placed_and_later_ones_count() -> None:
    placed = log(
        order("1", 0, ["a"], customer="c", price=600),
        order("2", 1, ["a", "b"], customer="c"),
        order("3", 2, ["c"], customer="c"),
        order("4", 1, ["b"], customer="d"),
    )
    erased = CustomerErased(event_id="e", occurred_at=DAY0 + timedelta(days=1), customer_id="c")

    result = recount(placed, erasures=[erased], rules=RULES)

    assert counts(result) == {"b": 1, "c": 1}
    assert [(row["customer_id"], row["orders"]) for row in table(result, "customer")] == [("c", 1), ("d", 1)]
    assert table(result, "co_purchase") == []


baskets = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6)
days = st.integers(0, 6)


@given(st.lists(st.tuples(days, baskets), max_size=12))
def test_the_counts_are_those_of_the_orders_in_the_window(placed: list[tuple[int, list[str]]]) -> None:
    # A partition for each order: nothing is late, all that matters is the newest day.
    orders = [LoggedOrder(n, 0, order(str(n), day, skus)) for n, (day, skus) in enumerate(placed)]
    end = max((day for day, _ in placed), default=0)
    expected: Counter[tuple[str, str]] = Counter()
    for day, skus in placed:
        if day > end - 3:
            expected.update((a, b) for a in set(skus) for b in set(skus) if a != b)

    found = {(r["sku"], r["partner"]): r["count"] for r in table(recount(orders, rules=RULES), "co_purchase")}

    assert found == expected


@given(st.lists(st.tuples(days, baskets), max_size=12), st.randoms())
def test_the_order_of_partitions_does_not_matter(placed: list[tuple[int, list[str]]], random: Any) -> None:
    orders = [
        LoggedOrder(n, 0, order(str(n), day, skus, customer="c")) for n, (day, skus) in enumerate(placed)
    ]
    shuffled = random.sample(orders, len(orders))

    assert list(recount(orders, rules=RULES).rows()) == list(recount(shuffled, rules=RULES).rows())


@given(st.lists(st.tuples(days, baskets), min_size=1, max_size=8), st.data())
def test_returning_everything_is_as_if_nothing_was_bought(
    placed: list[tuple[int, list[str]]], data: st.DataObject
) -> None:
    orders = log(*(order(str(n), 0, skus, customer="c") for n, (_, skus) in enumerate(placed)))
    gone = data.draw(st.sets(st.integers(0, len(orders) - 1)))
    kept = [placed for placed in orders if placed.offset not in gone]

    after = recount(orders, [returned(str(n)) for n in gone], rules=RULES)

    def without_tier(result: Recount) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name != "tier"} for row in result.rows()]

    assert without_tier(after) == without_tier(recount(kept, rules=RULES))


def test_a_diary_holds_what_was_kept_of_the_customers_window_by_pane() -> None:
    placed = log(
        order("1", 0, ["a", "b"], customer="c"), order("2", 1, ["a", "a"], customer="c"), order("3", 1, ["z"])
    )

    assert table(recount(placed, rules=RULES), "diary") == [
        {"customer_id": "c", "purchases": [["a", PANE0, 1], ["a", PANE0 + 1, 1], ["b", PANE0, 1]]}
    ]
    assert table(recount(placed, [returned("1", ("a", 1))], rules=RULES), "diary") == [
        {"customer_id": "c", "purchases": [["a", PANE0 + 1, 1], ["b", PANE0, 1]]}
    ]


def test_a_diary_that_may_have_been_too_long_may_be_missing() -> None:
    rules = replace(RULES, most_in_diary=3)

    [diary] = table(recount(log(order("1", 0, ["a", "b"], customer="c")), rules=rules), "diary")

    assert diary["purchases"] == ([["a", PANE0, 1], ["b", PANE0, 1]], None)
