"""What a sample of orders says beside a line: of which lines it speaks at all, and how its rows are made."""

from __future__ import annotations

import numpy as np
import pytest

from stream.decisions.bought_later import Later
from stream.decisions.neighbours import CATEGORY, LATER, ORDERS, NeighbourRow, told_row
from stream.decisions.order_sample import Category, OrderSample
from stream.decisions.sampled import FEW_PARTNERS, said_of, sampled_rows
from tests.decisions.shop import product

SAMPLE = OrderSample(
    orders=100,
    categories={
        "printers": Category(40, [(b"printer", 40)], [("paper", 9), ("desks", 3)]),
        "paper": Category(50, [(b"paper", 30), (b"card", 20)], []),
        "desks": Category(10, [(b"desk", 10)], []),
    },
    later={b"printer": Later(40, [(b"ink", 12), (b"toner", 3)])},
)
PRINTER = product("printer", category=("office", "printers"))


def partners(count: int) -> NeighbourRow:
    return told_row(ORDERS, 0, {100 + n: 0.1 for n in range(count)})


@pytest.mark.parametrize(
    ("known", "sources"),
    [
        (None, [LATER, CATEGORY, CATEGORY]),
        (partners(0), [LATER, CATEGORY, CATEGORY]),
        (partners(1), [LATER]),
        (partners(FEW_PARTNERS), []),
    ],
)
def test_the_less_orders_say_beside_a_line_the_more_the_sample_says(
    known: NeighbourRow | None, sources: list[int]
) -> None:
    said = said_of(SAMPLE, 0, b"printer", known, PRINTER, 3)

    heads = sum(len(one.heads) for one in said)
    rows = sampled_rows(said, np.arange(1, heads + 1)).get(0, ())
    assert [row.source for row in rows] == sources


def test_what_fewer_than_the_floor_did_is_not_said() -> None:
    [later, pair] = said_of(SAMPLE, 0, b"printer", None, PRINTER, 4)

    assert (later.heads, pair.heads) == ([(b"ink", 12)], [(b"paper", 30), (b"card", 20)])


@pytest.mark.parametrize("listed", [None, product("new"), product("new", category=("office", "unheard of"))])
def test_of_a_line_without_a_known_category_nobody_came_back_for_nothing_is_said(listed: object) -> None:
    assert said_of(SAMPLE, 0, b"new", None, listed, 3) == []  # type: ignore[arg-type]
    assert sampled_rows([], np.zeros(0, np.int64)) == {}


def test_what_nobody_knows_by_name_is_left_out_and_each_line_has_rows_of_its_own() -> None:
    said = [
        *said_of(SAMPLE, 0, b"printer", partners(1), None, 3),
        *said_of(SAMPLE, 7, b"printer", None, None, 3),
    ]

    rows = sampled_rows(said, np.array([5, -1, 5, 6]))

    assert {line: [row.candidates() for row in of_line] for line, of_line in rows.items()} == {
        0: [[5]],
        7: [[5, 6]],
    }
    assert [row.orders for row in rows[0]] == [40]
