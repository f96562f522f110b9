"""Columns and runs: numbers by dense index, in arrays that grow."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import columns as module
from stream.decisions.columns import NONE, Column, Integers, Runs, runs, with_room

ITEMS = st.integers(0, 40) | st.integers(1_000, 1_050) | st.integers(2_000, 9_000)
"""Dense indices within the first room of a column, at its end, and far beyond it."""

FILLINGS = st.sampled_from([NONE, 0, 7])


def whole(*numbers: int) -> Integers:
    return np.array(numbers, np.int64)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(module).failed == 0


@given(
    filling=FILLINGS,
    dtype=st.sampled_from([np.int8, np.int32, np.int64]),
    steps=st.lists(st.tuples(ITEMS, st.integers(-100, 100)) | ITEMS | st.lists(ITEMS, max_size=6)),
)
def test_a_column_is_a_dict_with_a_default(
    filling: int, dtype: type[np.integer], steps: list[tuple[int, int] | int | list[int]]
) -> None:
    column, model = Column(dtype, filling), dict[int, int]()

    for step in steps:
        if isinstance(step, tuple):
            item, value = step
            column[item] = model[item] = value
        elif isinstance(step, list):
            taken = column.take(np.array(step, np.int64))
            assert taken.dtype == dtype
            assert taken.tolist() == [model.get(item, filling) for item in step]
        else:
            assert column[step] == model.get(step, filling)

    assert [column[item] for item in range(10_000)] == [model.get(item, filling) for item in range(10_000)]


@pytest.mark.parametrize("filling", [NONE, 0, 7])
def test_what_was_never_set_has_the_filling_however_far_a_column_is_read_or_grown(filling: int) -> None:
    read, taken, grown = (Column(np.int64, filling) for _ in range(3))

    assert read[10**6] == filling
    assert taken.take(whole(3, 5_000)).tolist() == [filling, filling]
    taken[4_999] = 1
    grown[5_000] = 1

    for column in (taken, grown):
        assert column.take(whole(0, 1_023, 1_024, 4_998, 5_001)).tolist() == [filling] * 5


@pytest.mark.parametrize("beyond", [0, 10_000])
def test_numbers_are_taken_in_the_order_and_shape_they_are_asked_in(beyond: int) -> None:
    column = Column(np.int32, NONE)
    for item in range(5):
        column[item] = 10 * item
    column[beyond + 5] = 50

    assert column.take(whole(4, 0, 4)).tolist() == [40, 0, 40]
    assert column.take(np.array([[1, 2, 9], [beyond + 5, 3, 1]])).tolist() == [[10, 20, NONE], [50, 30, 10]]
    assert column.take(np.array([[[2]], [[beyond + 90_000]]])).tolist() == [[[20]], [[NONE]]]
    assert column.take(np.zeros((3, 0), np.int64)).shape == (3, 0)
    assert column.take(whole()).tolist() == []


def test_what_was_taken_does_not_change_with_the_column() -> None:
    column = Column(np.int64, 0)
    column[1] = 5
    taken = column.take(whole(1))
    column[1] = 6

    assert taken.tolist() == [5]


def test_no_number_is_read_as_a_python_integer() -> None:
    column = Column(np.int8, NONE)
    column[0] = 1

    assert [type(column[item]) for item in (0, 1, 10**6)] == [int, int, int]


RUNS = st.tuples(st.integers(0, 2**43 - 1), st.integers(0, 2**20 - 1))


@given(st.dictionaries(ITEMS, RUNS | st.just((2**43 - 1, 2**20 - 1))), st.lists(ITEMS))
def test_runs_keep_where_they_start_and_how_long_they_are(
    written: dict[int, tuple[int, int]], asked: list[int]
) -> None:
    kept = Runs()
    for item, run in written.items():
        kept[item] = 1, 1
        kept[item] = run

    expected = [written.get(item, (0, 0)) for item in asked]
    starts, lengths = kept.take(np.array(asked, np.int64))

    assert list(zip(starts.tolist(), lengths.tolist(), strict=True)) == expected
    assert [kept[item] for item in asked] == expected


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 20))))
def test_the_numbers_of_runs_follow_each_other_run_after_run(given_runs: list[tuple[int, int]]) -> None:
    starts, lengths = (np.array([run[part] for run in given_runs], np.int64) for part in (0, 1))

    assert runs(starts, lengths).tolist() == [
        start + n for start, length in given_runs for n in range(length)
    ]
    assert starts.tolist() == [start for start, _ in given_runs], "what is asked is not written to"


def test_room_is_at_least_doubled_and_as_much_as_is_wanted() -> None:
    values = np.array([1, 2, 3], np.int32)

    assert with_room(values, 4).tolist() == [1, 2, 3, 0, 0, 0]
    assert with_room(values, 7, NONE).tolist() == [1, 2, 3, -1, -1, -1, -1]
    assert with_room(values, 7, 0).dtype == np.int32
    assert with_room(np.zeros(0, np.int64), 2, 5).tolist() == [5, 5]
