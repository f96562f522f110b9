"""The row of a line whose weights were fitted."""

from __future__ import annotations

import doctest

import numpy as np

from stream.decisions import fitted_rows
from stream.decisions.fitted_rows import FittedWeights, fitted_row
from stream.decisions.neighbours import FRACTION, NeighbourRow, Refused
from stream.decisions.scorers import SERVED, Scorer

PLAIN = Scorer("plain", SERVED.weights)


def weights_of(together: list[int], boosts: list[float] | None = None) -> FittedWeights:
    return FittedWeights(
        np.array([7, 5, 8]),
        np.array(together),
        np.array([0.5, -0.25, 0.125]),
        np.array([31, 40, 50]),
        None if boosts is None else np.array(boosts),
    )


def test_the_examples_are_true() -> None:
    assert doctest.testmod(fitted_rows).failed == 0


def test_a_fitted_row_has_the_weights_of_the_fit_and_keeps_what_the_baseline_refused() -> None:
    baseline = NeighbourRow(4, b"", b"", 17, (Refused(9, 1, "BELOW_SUPPORT"),))

    row = fitted_row(baseline, weights_of([11, 6, 3]), PLAIN, min_together=3)

    assert row.weights() == {7: 0.5, 5: -0.25, 8: 0.125}
    counts = memoryview(row.values).cast("q").tolist()[1::2]
    assert counts == [11, 6, 3]
    assert (row.item, row.orders, row.refused) == (4, 17, baseline.refused)


def test_below_the_support_floor_a_neighbour_is_no_candidate_unless_the_line_speaks_against_it() -> None:
    row = fitted_row(NeighbourRow(4, b"", b""), weights_of([11, 0, 2]), PLAIN, min_together=3)

    assert row.weights() == {7: 0.5, 5: -0.25}


def test_the_scorer_says_how_much_popularity_takes_away_and_the_policy_what_is_boosted() -> None:
    row = fitted_row(
        NeighbourRow(4, b"", b""), weights_of([9, 9, 9], [2.0, 0.0, 0.0]), SERVED, min_together=3
    )

    assert row.weights() == {7: 0.5}, "0.5 * 32 ** -0.2 * 2"
    assert memoryview(row.values).cast("q").tolist() == [FRACTION // 2, 9]
