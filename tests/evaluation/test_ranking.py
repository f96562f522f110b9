"""Scores by the batch are what the definitions say, worked out one candidate at a time."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stream.decisions.habits import Habits, habits_of
from stream.decisions.neighbours import FRACTION
from stream.decisions.policy import Policy
from stream.decisions.precision import neighbourhood, precision_weights
from stream.decisions.scorers import BASELINE, FILL, FITS, GRID, NOTHING, Scorer
from stream.decisions.selection import MISSED
from stream.decisions.window import DAY_MS
from stream.evaluation.deciding import Decider
from stream.evaluation.pair_counts import PairCounts
from stream.evaluation.ranking import NONE, Ranked, Ranker
from stream.tables.neighbours import MOST_PARTNERS

POLICY = Policy()
HABITS = habits_of([3, 3, 17, 150, 150, 150, 150], [5, 9, 9, 1, 1, 8, 8], DAY_MS)
SKUS = [f"{i:03d}" for i in range(160)]


@pytest.fixture(name="counts")
def _counts() -> PairCounts:
    dice, counts = Random(5), PairCounts(SKUS)
    for _ in range(900):
        counts.add(
            sorted({min(dice.randrange(160), dice.randrange(160)) for _ in range(dice.randrange(1, 9))})
        )
    return counts


def by_hand(
    counts: PairCounts, scorer: Scorer, lines: list[int], habits: Habits, item: int, heads: list[int]
) -> float:
    """The score of one candidate, straight from the definitions."""
    n, total = counts.orders, counts.total
    score = 0.0
    for line in lines if scorer.weights != NOTHING else []:
        partners = counts.partners(line, MOST_PARTNERS)[0].tolist()
        met = int(counts.together([line, item])[0, 1])
        baseline = met / (n[line] + POLICY.prior_orders) if item in partners else 0.0
        members = neighbourhood(line, partners, heads)
        if scorer.weights == BASELINE:
            above_chance = met * total > n[line] * n[item]
            score += baseline / n[item] ** 0.2 if met >= POLICY.min_together and above_chance else 0.0
        elif item in members[1:]:
            square = counts.together(members)[None]
            weights = precision_weights(square, n[members][None], [FITS[scorer.weights]])
            spoken = float(np.float32(weights[0, 0, members.index(item) - 1])) + scorer.beside * baseline
            spoken = spoken if met >= POLICY.min_together else min(spoken, 0.0)
            score += spoken * (n[item] + 1) ** scorer.exponent
    scale = (total + 1) ** scorer.exponent
    if scorer.popular > FILL and item in heads:
        score += scorer.popular * (n[item] + 1) / (total + 1) * scale
    frequency = dict(zip(habits.items.tolist(), habits.frequency.tolist(), strict=True)).get(item, 0.0)
    return float(score + scorer.own * frequency / (frequency + 2.0) * scale)


def test_every_candidate_has_the_score_of_the_definition(counts: PairCounts) -> None:
    lines, ranker = [2, 17, 40], Ranker(counts, GRID, POLICY)

    ranked = ranker.rank(lines, HABITS)

    heads = ranker.neighbourhoods.heads()
    assert {3, 150} <= set(ranked.items.tolist())
    for which, scorer in enumerate(GRID):
        for at, item in enumerate(ranked.items.tolist()):
            if item in lines:
                assert ranked.scores[which, at] == -np.inf
            else:
                assert ranked.scores[which, at] == pytest.approx(
                    by_hand(counts, scorer, lines, HABITS, item, heads) * FRACTION, abs=4
                )


@pytest.mark.parametrize("scorer", GRID, ids=lambda scorer: scorer.name)
def test_the_first_ten_are_what_the_decision_core_offers(counts: PairCounts, scorer: Scorer) -> None:
    ranker, dice = Ranker(counts, [scorer], POLICY), Random(9)
    decider = Decider(counts, ranker.neighbourhoods, SKUS, POLICY, (), "EUR")
    offered = 0
    for turn in range(40):
        lines = sorted({min(dice.randrange(160), dice.randrange(160)) for _ in range(turn % 6 + 1)})
        habits = HABITS if turn % 2 else None
        first = [item for item in ranker.rank(lines, habits).offers()[0].tolist() if item != NONE]
        assert decider.offers(lines, scorer, habits, 0, measured=True) == first
        offered += len(first)
        counts.add(lines)
    assert offered > 40


def test_the_same_question_gets_the_same_bytes_whatever_was_asked_before(counts: PairCounts) -> None:
    one, other = Ranker(counts, GRID, POLICY), Ranker(counts, GRID, POLICY)
    for lines in ([1], [5, 6], [0, 80, 159]):
        one.rank(lines, None)

    assert one.rank([2, 17], HABITS).scores.tobytes() == other.rank([2, 17], HABITS).scores.tobytes()


def test_a_sku_that_was_never_ordered_speaks_for_nobody() -> None:
    counts = PairCounts(["a", "b"])
    counts.add([0])
    counts.add([0])

    ranked = Ranker(counts, GRID, POLICY).rank([1], None)

    assert ranked.items.tolist() == [0]
    for scorer, [score] in zip(GRID, ranked.scores, strict=True):
        assert (score > 0) == (scorer.popular > FILL), "nothing but popularity knows it"


def test_ranks_and_offers_follow_score_then_count_then_sku() -> None:
    ranked = Ranked(
        np.array([3, 5, 8, 9]),
        np.array([[0.5, 0.7, 0.5, 0.0], [0.1, 0.2, 0.3, -np.inf], [0.4, 0.1, 0.4, 0.4]]),
        np.array([[4, 4, 4, 9], [0, 0, 0, 0], [4, 9, 5, 4]]),
    )

    assert ranked.offers()[:, :5].tolist() == [
        [5, 3, 8, NONE, NONE],
        [8, 5, 3, NONE, NONE],
        [8, 3, 9, 5, NONE],
    ]
    assert ranked.ranks(8).tolist() == [2, 0, 0]
    assert ranked.ranks(3).tolist() == [1, 2, 1]
    assert ranked.ranks(9).tolist() == [MISSED, MISSED, 2], "a score of 0 is no offer"
    assert ranked.ranks(4).tolist() == [MISSED, MISSED, MISSED]
