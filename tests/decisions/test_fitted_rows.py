"""The rows of lines whose weights were fitted."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import fitted_rows as module
from stream.decisions.fitted_rows import (
    NO_PARTNER,
    FittedWeights,
    Listed,
    fitted_rows,
    partner_counts,
    with_baseline,
)
from stream.decisions.neighbours import FRACTION, NeighbourRow, Refused
from stream.decisions.policy import Policy
from stream.decisions.scorers import SERVED, Scorer

PLAIN = Scorer("plain", SERVED.weights)


def weights_of(together: list[int], boosts: list[float] | None = None) -> FittedWeights:
    return FittedWeights(
        np.array([0, 3]),
        np.array([7, 5, 8]),
        np.array(together),
        np.array([0.5, -0.25, 0.125]),
        np.array([31, 40, 50]),
        None if boosts is None else np.array(boosts),
    )


def test_the_examples_are_true() -> None:
    assert doctest.testmod(module).failed == 0


def test_a_fitted_row_has_the_weights_of_the_fit_and_keeps_what_the_baseline_refused() -> None:
    baseline = NeighbourRow(4, b"", 17, (Refused(9, 1, "BELOW_SUPPORT"),))

    [row] = fitted_rows([baseline], weights_of([11, 6, 3]), PLAIN, min_together=3)

    assert row.weights() == {7: 0.5, 5: -0.25, 8: 0.125}
    counts = row.counts()
    assert counts == [11, 6, 3]
    assert (row.item, row.orders, row.refused) == (4, 17, baseline.refused)


def test_below_the_support_floor_a_neighbour_is_no_candidate_unless_the_line_speaks_against_it() -> None:
    [row] = fitted_rows([NeighbourRow(4, b"")], weights_of([11, 0, 2]), PLAIN, min_together=3)

    assert row.weights() == {7: 0.5, 5: -0.25}


def test_the_scorer_says_how_much_popularity_takes_away_and_the_policy_what_is_boosted() -> None:
    [row] = fitted_rows(
        [NeighbourRow(4, b"")], weights_of([9, 9, 9], [2.0, 0.0, 0.0]), SERVED, min_together=3
    )

    assert row.weights() == {7: 0.5}, "0.5 * 32 ** -0.2 * 2"
    assert (row.whole_weights(), row.counts()) == ([FRACTION // 2], [9])


LINES = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 9), st.floats(-2, 2, allow_subnormal=False), st.integers(0, 90)
        ),
        unique_by=lambda entry: entry[0],
        max_size=9,
    ),
    max_size=5,
)


def fitted(lines: list[list[tuple[int, int, float, int]]]) -> FittedWeights:
    entries = [entry for line in lines for entry in line]
    return FittedWeights(
        np.cumsum([0, *(len(line) for line in lines)]),
        np.array([item for item, _, _, _ in entries], np.int64),
        np.array([together for _, together, _, _ in entries], np.int64),
        np.array([weight for _, _, weight, _ in entries], np.float64),
        np.array([orders for _, _, _, orders in entries], np.int64),
    )


@given(LINES)
def test_a_line_has_the_same_row_whatever_other_lines_are_made_with_it(
    lines: list[list[tuple[int, int, float, int]]],
) -> None:
    baselines = [NeighbourRow(at, b"", b"", at) for at in range(len(lines))]

    made = fitted_rows(baselines, fitted(lines), SERVED, min_together=3)

    alone = [
        fitted_rows([row], fitted([line]), SERVED, 3)[0] for row, line in zip(baselines, lines, strict=True)
    ]
    assert made == alone


LISTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 12), unique=True, max_size=6),
        st.dictionaries(st.integers(0, 12), st.integers(0, 99)),
    ),
    max_size=5,
)


@given(LISTS)
def test_counts_are_those_of_the_line_and_of_no_other(lists: list[tuple[list[int], dict[int, int]]]) -> None:
    def listed(parts: list[list[int]]) -> Listed:
        places = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return Listed(places, np.array([item for part in parts for item in part], np.int64))

    counts = np.array([count for _, held in lists for count in held.values()], np.int64)

    found = partner_counts(
        listed([asked for asked, _ in lists]), listed([list(held) for _, held in lists]), counts
    )

    assert found.tolist() == [held.get(item, -1) for asked, held in lists for item in asked]


def test_a_scorer_may_give_the_baseline_a_say_beside_the_fit_for_partners_alone() -> None:
    weights, now, orders = np.array([0.5, 0.25]), np.array([8, NO_PARTNER]), np.array([10, 10])
    alone, beside = Scorer("alone", "precision-20"), Scorer("beside", "precision-20", beside=0.5)

    assert with_baseline(weights, now, orders, alone, Policy()) is weights
    assert with_baseline(weights, now, orders, beside, Policy()).tolist() == [0.5 + 0.5 * 8 / 40, 0.25]
