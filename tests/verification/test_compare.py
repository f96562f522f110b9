"""Two sorted sequences of rows: what is missing, what is too much, what differs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.verification.compare import SHOWN, Row, compare

CUSTOMER = {"table": "customer", "customer_id": "c", "orders": 1, "spend": {"EUR": 5}, "tier": "none"}


async def stream_of(rows: Iterable[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


def count(sku: str, number: int) -> dict[str, Any]:
    return {"table": "order_count", "sku": sku, "count": number}


async def test_equal_rows_are_counted_by_table() -> None:
    rows = [CUSTOMER, count("a", 1), count("b", 2)]

    result = await compare(rows, stream_of(rows))

    assert result.equal
    assert result.agreeing == {"customer": 1, "order_count": 2}


async def test_each_kind_of_difference_is_told() -> None:
    expected = [CUSTOMER, count("a", 1), count("b", 2)]
    found = [count("a", 1), count("b", 3), count("c", 1)]

    result = await compare(expected, stream_of(found))

    assert [str(difference).split(":")[0].split(" {")[0] for difference in result.first] == [
        "missing",
        "expected",
        "too much",
    ]
    assert (result.differing, result.agreeing) == (3, {"order_count": 1})


async def test_a_tuple_names_several_right_values() -> None:
    expected = {**CUSTOMER, "tier": ("none", "bronze")}

    assert (await compare([expected], stream_of([CUSTOMER]))).equal
    assert not (await compare([expected], stream_of([{**CUSTOMER, "tier": "gold"}]))).equal


async def test_a_field_too_many_is_a_difference() -> None:
    assert not (await compare([CUSTOMER], stream_of([{**CUSTOMER, "more": 1}]))).equal


async def test_only_the_first_differences_are_kept() -> None:
    result = await compare([], stream_of(count(f"{n:04}", 1) for n in range(100)))

    assert (result.differing, len(result.first)) == (100, SHOWN)


async def test_a_table_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table"):
        await compare([CUSTOMER], stream_of([{"table": "mystery"}]))


@given(*[st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 3)) for _ in range(2)])
async def test_the_number_of_differences_is_that_of_the_sets(
    one: dict[str, int], two: dict[str, int]
) -> None:
    result = await compare(
        [count(*pair) for pair in sorted(one.items())],
        stream_of(count(*pair) for pair in sorted(two.items())),
    )

    assert result.differing == sum(one.get(sku) != two.get(sku) for sku in one.keys() | two.keys())
    assert result.agreeing.total() == len(one.items() & two.items())
