"""The grid: every term is a weight a candidate, and no scorer claims what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from stream.decisions.neighbours import FRACTION, MOST_WEIGHT
from stream.decisions.scorers import (
    BASELINE,
    FITS,
    GRID,
    NOTHING,
    OWN_PRIOR,
    Scorer,
    line_weights,
    own_weights,
    popular_weights,
    whole,
)


def test_the_first_scorer_is_popularity_and_names_are_unique() -> None:
    assert GRID[0].name == "popularity"
    assert not GRID[0].claims_association
    assert len({scorer.name for scorer in GRID}) == len(GRID)


@pytest.mark.parametrize("scorer", GRID, ids=lambda scorer: scorer.name)
def test_a_scorer_takes_its_line_weights_from_a_fit_there_is(scorer: Scorer) -> None:
    assert scorer.weights in {NOTHING, BASELINE, *FITS}
    assert scorer.claims_association == (scorer.weights != NOTHING)
    assert scorer.popular > 0, "candidates without any association need an order, too"


def test_a_negative_exponent_prefers_the_rarer_of_two_equal_weights() -> None:
    orders, weights = np.array([999, 31]), np.array([0.2, 0.2])

    common, rare = line_weights(Scorer("rare", BASELINE, -0.2), weights, orders)

    assert 0 < common < rare == round(0.1 * FRACTION)
    assert line_weights(Scorer("plain", BASELINE), weights, orders).tolist() == [round(0.2 * FRACTION)] * 2


def test_popularity_and_own_frequency_are_weighed_as_the_scorer_says() -> None:
    scorer = Scorer("both", NOTHING, popular=0.3, own=0.5)

    assert popular_weights(scorer, np.array([9]), 99).tolist() == [round(0.03 * FRACTION)]
    assert own_weights(scorer, np.array([0, int(OWN_PRIOR)]), 99).tolist() == [0, FRACTION // 4]


def test_an_exponent_changes_the_size_of_all_terms_alike() -> None:
    scorer = Scorer("rare", BASELINE, -0.2, popular=0.3, own=0.5)
    total, orders = 31, np.array([31])  # an item that every order holds: its share is 1

    assert line_weights(scorer, np.array([1.0]), orders).tolist() == [FRACTION // 2]
    assert popular_weights(scorer, orders, total).tolist() == [round(0.15 * FRACTION)]
    assert own_weights(scorer, np.array([2]), total).tolist() == [FRACTION // 8]


def test_weights_beyond_what_a_row_holds_are_cut_off() -> None:
    assert whole(np.array([1e6, -1e6])).tolist() == [MOST_WEIGHT * FRACTION, -MOST_WEIGHT * FRACTION]
