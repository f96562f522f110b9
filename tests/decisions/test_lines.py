"""What SKUs mean as lines, and the heap of what they were bought with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.decisions.lines import NAMED, RANGED, Lines, LineView, line_view
from stream.decisions.neighbours import (
    CATALOGUE,
    FRACTION,
    MOST_WEIGHT,
    NOBODY,
    NeighbourRow,
    packed,
    told_row,
)
from tests.decisions.shop import product, rung


def row(length: int, mark: int = 1, item: int = 0, orders: int = 0) -> NeighbourRow:
    """A row of so many elements, no two alike, nor like those of a row with another mark."""
    places = np.arange(length)
    return NeighbourRow(item, packed(places, np.full(length, -mark), places + 1_000 * mark), orders)


def parts(lines: Lines, refs: Sequence[int], others: list[NeighbourRow]) -> list[bytes]:
    """The elements gathered, row by row: terms, and their counts behind them."""
    bounds, places, terms = lines.gather(np.array(refs, np.int64), others)
    assert (len(bounds), bounds[0], bounds[-1]) == (len(refs) + 1, 0, len(terms))
    return [terms[a:b].tobytes() + lines.met(places[a:b]).tobytes() for a, b in pairwise(bounds.tolist())]


@contextmanager
def first_elements(number: int) -> Iterator[Lines]:
    """Lines whose heap has room for so many elements at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.decisions.lines._FIRST_ELEMENTS", number)
        yield Lines()


def test_a_line_is_found_by_its_sku_and_by_its_item() -> None:
    a, b = LineView(4, row(2, item=4)), LineView(2)
    lines = Lines({"a": a})
    lines.put("b", b)

    assert lines.get("a") is not None
    assert lines.get("b") is not None
    assert (lines["a"], lines.get("a"), lines.at(4)) == (a, a, a)
    assert (lines["b"], lines.get("b"), lines.at(2)) == (b, b, b)


def test_a_line_that_nothing_is_known_of_means_nothing() -> None:
    lines = Lines({"a": LineView(4)})

    assert lines.get("b") is None
    assert lines.get("b") is None
    assert lines.at(3) == LineView(3)
    with pytest.raises(KeyError):
        lines["b"]
    assert (lines.orders_of[3], lines.more_of[3]) == (0, 0)
    assert parts(lines, [3, 9_000], []) == [b"", b""]


def test_what_is_said_last_of_a_line_counts() -> None:
    lines = Lines({"a": LineView(0, row(3)), "b": LineView(1, row(2, mark=2))})
    again = LineView(0, row(1, mark=3), (row(1),))
    lines.put("a", again)

    assert (lines["a"], lines.at(0)) == (again, again)
    assert parts(lines, [0, 1], []) == [row(1, mark=3).elements, row(2, mark=2).elements]


def test_a_line_has_more_to_say_when_it_stands_in_a_range_or_others_speak_for_it() -> None:
    named = told_row(CATALOGUE, 0, {5: 1.0})
    plain, ranged = product("a"), rung("a", 1, 100)
    lines = Lines()

    for view, more in (
        (line_view(0, None, None, None), 0),
        (line_view(0, None, None, ranged), RANGED),
        (line_view(0, row(1), None, plain), 0),
        (line_view(0, row(1), named, plain), NAMED),
        (line_view(0, row(1), None, plain, (named,)), NAMED),
        (line_view(0, row(1), named, ranged), RANGED + NAMED),
        (line_view(0, row(1), None, None), 0),
    ):
        lines.put("a", view)
        assert lines.more_of[0] == more
        assert lines.more_of.take(np.array([0, 1])).tolist() == [more, 0]


def test_the_orders_of_a_line_are_those_of_its_row() -> None:
    lines = Lines({"a": LineView(7, row(2, orders=40))})
    assert (lines.orders_of[7], lines.orders_of[0]) == (40, 0)

    for learned, orders in ((row(2, orders=41), 41), (row(0, orders=3), 3), (None, 0), (row(1, orders=5), 5)):
        lines.put("a", LineView(7, learned))
        assert lines.orders_of.take(np.array([7])).tolist() == [orders]


def test_a_row_that_stays_is_kept_when_something_else_of_its_line_changes() -> None:
    learned = row(3, orders=9)
    lines = Lines({"a": LineView(0, learned)})
    lines.put("a", LineView(0, learned, (row(1),)))

    assert (parts(lines, [0], []), lines.orders_of[0], lines.more_of[0]) == ([learned.elements], 9, NAMED)


LENGTHS = st.integers(0, 4) | st.sampled_from([15, 16, 17, 31, 32, 33, 47, 50]) | st.none()
"""Lengths of rows about where their room ends; None is no row."""

ITEMS = st.integers(0, 5) | st.just(2_000)
PUT = st.tuples(ITEMS, LENGTHS)
GATHERED = st.tuples(st.lists(ITEMS | st.integers(-6, -1), max_size=12), st.lists(st.integers(0, 40)))
"""Refs, and lengths of rows of others; a ref to others that are not there is left out."""


@given(
    st.sampled_from([1, 16, 100]), st.lists(st.tuples(st.just("put"), PUT) | st.tuples(st.just(""), GATHERED))
)
@example(1, [("put", (0, 16)), ("", ([0, -1, 1, -2, 0], [40, 0])), ("put", (1, 50)), ("", ([1, 0], []))])
@example(100, [("put", (0, 50)), ("put", (1, 33)), ("put", (1, 47)), ("", ([1, 0], []))])
@example(16, [("put", (0, 3)), ("put", (1, 3)), ("put", (0, 17)), ("put", (0, 1)), ("", ([1, 0, 1], []))])
@example(16, [("put", (0, 3)), ("put", (0, None)), ("put", (1, 3)), ("put", (0, 16)), ("", ([1, 0], []))])
def test_exactly_the_rows_asked_for_are_gathered_in_their_order(
    room: int, steps: list[tuple[str, tuple[int, int | None] | tuple[list[int], list[int]]]]
) -> None:
    model: dict[int, bytes] = {}
    with first_elements(room) as lines:
        for mark, (_, step) in enumerate(steps, 1):
            if isinstance(step[0], int):
                item, length = step[0], step[1]
                assert not isinstance(length, list)
                learned = None if length is None else row(length, mark, item)
                lines.put(str(item), LineView(item, learned))
                model[item] = b"" if learned is None else learned.elements
            else:
                asked, lengths = step
                assert isinstance(lengths, list)
                others = [row(length, 1_000 * mark + n, NOBODY) for n, length in enumerate(lengths)]
                refs = [ref for ref in asked if ref >= 0 or ~ref < len(others)]
                assert parts(lines, refs, others) == [
                    others[~ref].elements if ref < 0 else model.get(ref, b"") for ref in refs
                ]
        assert parts(lines, sorted(model), []) == [model[item] for item in sorted(model)]


def test_rows_of_others_take_the_room_of_the_next_ones() -> None:
    own, first, second = row(3, 1), row(20, 2), row(7, 3)
    with first_elements(64) as lines:
        lines.put("a", LineView(0, own))
        for _ in range(100):
            assert parts(lines, [~0, 0], [first]) == [first.elements, own.elements]
            assert parts(lines, [0, ~1, ~0], [second, first]) == [
                own.elements,
                first.elements,
                second.elements,
            ]

        assert len(lines._terms) == len(lines._met) == 64


def test_a_heap_grows_by_rows_of_lines_and_by_rows_of_others() -> None:
    with first_elements(1) as lines:
        for item in range(100):
            lines.put(str(item), LineView(item, row(item, item + 1)))
            assert parts(lines, [item, ~0], [row(3 * item, 500)]) == [
                row(item, item + 1).elements,
                row(3 * item, 500).elements,
            ]

        assert parts(lines, range(99, -1, -1), []) == [row(n, n + 1).elements for n in range(99, -1, -1)]


def test_a_row_that_is_made_anew_mostly_fits_where_it_was() -> None:
    with first_elements(64) as lines:
        for n in range(1_000):
            for item in (0, 1):
                lines.put(str(item), LineView(item, row(17 + n % 16, n + item)))

        assert len(lines._terms) == len(lines._met) == 64
        assert parts(lines, [1, 0], []) == [row(24, 1_000).elements, row(24, 999).elements]


def test_what_was_gathered_does_not_change_with_the_lines() -> None:
    lines = Lines({"a": LineView(0, row(3, 1))})
    _, _, terms = lines.gather(np.array([0, ~0]), [row(2, 2)])
    before = terms.tobytes()
    lines.put("a", LineView(0, row(3, 3)))
    lines.gather(np.array([~0]), [row(2, 4)])

    assert terms.tobytes() == before == row(3, 1).terms.tobytes() + row(2, 2).terms.tobytes()


def test_a_term_holds_any_weight_and_any_item() -> None:
    weights = np.array([MOST_WEIGHT * FRACTION, -MOST_WEIGHT * FRACTION, 0, 1, -1])
    items = np.array([2**22 - 1, 2**22 - 1, 0, 5, 2**22 - 1])
    held = NeighbourRow(0, packed(items, weights, np.array([2**40, 0, 1, 2, 3])))

    assert (held.whole_weights(), held.candidates()) == (weights.tolist(), items.tolist())
    assert held.counts() == [2**31 - 1, 0, 1, 2, 3]
    assert len(held) == 5


def test_of_no_rows_nothing_is_gathered() -> None:
    lines = Lines({"a": LineView(0, row(3))})

    assert parts(lines, [], []) == []
    assert parts(lines, [], [row(2)]) == []
    assert parts(lines, [0, ~0], [row(0)]) == [row(3).elements, b""]
