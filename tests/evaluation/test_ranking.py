"""Scores by the batch are what the definitions say, worked out one candidate at a time."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stream.decisions.neighbours import FRACTION
from stream.decisions.policy import Policy
from stream.decisions.precision import neighbourhood, precision_weights
from stream.decisions.scorers import BASELINE, FITS, GRID, NOTHING, Scorer
from stream.decisions.selection import MISSED
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.ranking import MOST_POPULAR, NONE, Ranked, Ranker
from stream.tables.neighbours import MOST_PARTNERS

POLICY = Policy()
SKUS = [f"{i:03d}" for i in range(160)]


@pytest.fixture(name="counts")
def _counts() -> PairCounts:
    dice, counts = Random(5), PairCounts(SKUS)
    for _ in range(900):
        counts.add(
            sorted({min(dice.randrange(160), dice.randrange(160)) for _ in range(dice.randrange(1, 9))})
        )
    return counts


def by_hand(counts: PairCounts, scorer: Scorer, lines: list[int], bought: dict[int, int], item: int) -> float:
    """The score of one candidate, straight from the definitions."""
    share = (counts.orders[item] + 1) / (counts.total + 1)
    score = 0.0
    heads = counts.heads(MOST_POPULAR).tolist()
    spoken = 0.0
    for line in lines if scorer.weights != NOTHING else []:
        partners = counts.partners(line, MOST_PARTNERS)[0].tolist()
        together = int(counts.together([line, item])[0, 1])
        baseline = together / (counts.orders[line] + POLICY.prior_orders) if item in partners else 0.0
        members = neighbourhood(line, partners, heads)
        if scorer.weights == BASELINE:
            spoken += baseline
        elif item in members[1:]:
            square = counts.together(members)[None]
            weights = precision_weights(square, counts.orders[members][None], [FITS[scorer.weights]])
            spoken += float(np.float32(weights[0, 0, members.index(item) - 1])) + scorer.beside * baseline
    met = sum(
        int(counts.together([line, item])[0, 1])
        for line in lines
        if item in counts.partners(line, MOST_PARTNERS)[0]
    )
    score += (spoken if met >= POLICY.min_together else min(spoken, 0.0)) * share**scorer.exponent
    score += scorer.popular * share if item in heads else 0.0
    score += scorer.own * bought.get(item, 0) / (bought.get(item, 0) + 2.0)
    return float(score * (counts.total + 1) ** scorer.exponent)


def test_every_candidate_has_the_score_of_the_definition(counts: PairCounts) -> None:
    lines, bought = [2, 17, 40], {3: 2, 17: 1, 150: 4}

    ranked = Ranker(counts, GRID, POLICY).rank(lines, bought)

    assert {3, 150} <= set(ranked.items.tolist())
    for which, scorer in enumerate(GRID):
        for at, item in enumerate(ranked.items.tolist()):
            if item in lines:
                assert ranked.scores[which, at] == -np.inf
            else:
                assert ranked.scores[which, at] == pytest.approx(
                    by_hand(counts, scorer, lines, bought, item) * FRACTION, abs=4
                )


def test_the_same_question_gets_the_same_bytes_whatever_was_asked_before(counts: PairCounts) -> None:
    one, other = Ranker(counts, GRID, POLICY), Ranker(counts, GRID, POLICY)
    for lines in ([1], [5, 6], [0, 80, 159]):
        one.rank(lines, {})

    assert one.rank([2, 17], {4: 1}).scores.tobytes() == other.rank([2, 17], {4: 1}).scores.tobytes()


def test_a_sku_that_was_never_ordered_speaks_for_nobody() -> None:
    counts = PairCounts(["a", "b"])
    counts.add([0])

    ranked = Ranker(counts, GRID, POLICY).rank([1], {})

    assert ranked.items.tolist() == [0]
    assert (ranked.scores > 0).all(), "popularity fills the list where nothing is known"


def test_ranks_and_offers_follow_score_then_sku() -> None:
    ranked = Ranked(np.array([3, 5, 8, 9]), np.array([[0.5, 0.7, 0.5, 0.0], [0.1, 0.2, 0.3, -np.inf]]))

    assert ranked.offers()[:, :5].tolist() == [[5, 3, 8, NONE, NONE], [8, 5, 3, NONE, NONE]]
    assert ranked.ranks(8).tolist() == [2, 0]
    assert ranked.ranks(3).tolist() == [1, 2]
    assert ranked.ranks(9).tolist() == [MISSED, MISSED], "a score of 0 is no offer"
    assert ranked.ranks(4).tolist() == [MISSED, MISSED]
