"""The grid: every term is a weight a candidate, and no scorer claims what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from stream.decisions.neighbours import FRACTION
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
    shares,
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


def test_shares_are_above_zero_and_grow_with_the_orders() -> None:
    share = shares(np.array([0, 5, 99]), 99)

    assert share.tolist() == [0.01, 0.06, 1.0]


def test_a_negative_exponent_prefers_the_rarer_of_two_equal_weights() -> None:
    share = np.array([0.5, 0.01])
    weights = np.array([0.2, 0.2])

    common, rare = line_weights(Scorer("rare", BASELINE, -0.2), weights, share)

    assert rare > common > 0.2 * FRACTION
    assert line_weights(Scorer("plain", BASELINE), weights, share).tolist() == [round(0.2 * FRACTION)] * 2


def test_popularity_and_own_frequency_are_weighed_as_the_scorer_says() -> None:
    scorer = Scorer("both", NOTHING, popular=0.3, own=0.5)

    assert popular_weights(scorer, np.array([0.1])).tolist() == [round(0.03 * FRACTION)]
    assert own_weights(scorer, np.array([0, int(OWN_PRIOR)])).tolist() == [0, FRACTION // 4]
