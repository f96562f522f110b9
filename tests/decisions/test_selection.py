"""Which scorer serves: evidence is needed to change, chance is not enough to claim anything."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions.selection import (
    BLOCK_ORDERS,
    CHOSEN_FROM,
    KEPT_BLOCKS,
    MISSED,
    RANK_UNIT,
    RollingTally,
    Selection,
    Tally,
    choose,
    empty_tally,
    lead_over_the_rest,
    merged,
    tally_of,
)

Ranks = np.ndarray
RANKS = st.lists(
    st.lists(st.sampled_from([0, 3, 4, 5, 9, 10, MISSED]), min_size=3, max_size=3), min_size=1, max_size=40
)


def summed(ranks: list[list[int]]) -> Tally:
    return merged([tally_of(np.array(each)) for each in ranks], empty_tally(3))


def worth(rank: int) -> float:
    """What a hidden item at a rank is worth, said in another way than in the code."""
    return 0.0 if rank >= 10 else 1 + 1 / (rank + 1)


def same(one: Tally, other: Tally) -> bool:
    return one.orders == other.orders and all(
        np.array_equal(getattr(one, part), getattr(other, part))
        for part in ("hits", "half_hits", "reciprocals", "apart")
    )


@given(RANKS)
def test_a_tally_counts_what_a_plain_recount_counts(ranks: list[list[int]]) -> None:
    tally = summed(ranks)

    for i in range(3):
        own = [each[i] for each in ranks]
        assert tally.hits[i] == sum(rank < 10 for rank in own)
        assert tally.half_hits[i] == sum(rank < 5 for rank in own)
        assert tally.reciprocals[i] / RANK_UNIT == pytest.approx(sum(1 / (r + 1) for r in own if r < 10))
        for j in range(3):
            assert tally.lead(i, j) == sum(each[i] < 10 for each in ranks) - sum(
                each[j] < 10 for each in ranks
            )
            apart = sum((worth(each[i]) - worth(each[j])) ** 2 for each in ranks)
            assert tally.apart[i, j] / RANK_UNIT**2 == pytest.approx(apart)
        assert tally.worth[i] / RANK_UNIT == pytest.approx(sum(map(worth, own)))


@given(RANKS, st.integers(1, 5))
def test_the_tallies_of_several_workers_add_up_to_that_of_one(ranks: list[list[int]], workers: int) -> None:
    parts = [summed(ranks[worker::workers]) for worker in range(workers)]

    assert same(merged(parts, empty_tally(3)), summed(ranks))


def test_a_rolling_tally_is_that_of_the_last_blocks() -> None:
    dice = np.random.default_rng(3)
    ranks = dice.integers(0, 14, (BLOCK_ORDERS * (KEPT_BLOCKS + 2) + 7, 3)).tolist()
    rolling = RollingTally(3)
    for each in ranks:
        rolling.add(np.array(each))

    assert same(rolling.total(), summed(ranks[-(BLOCK_ORDERS * KEPT_BLOCKS + 7) :]))


def test_a_rolling_tally_goes_on_from_its_blocks() -> None:
    dice = np.random.default_rng(4)
    ranks = dice.integers(0, 14, (BLOCK_ORDERS * (KEPT_BLOCKS + 3) + 9, 3))
    whole, blocks = RollingTally(3), list[Tally]()
    for each in ranks:
        filled = whole.add(each)
        if not blocks or blocks[-1].orders == BLOCK_ORDERS:
            blocks.append(filled)
        blocks[-1] = filled
    again = RollingTally(3, blocks[-KEPT_BLOCKS - 1 :])

    assert same(again.total(), whole.total())
    for each in ranks[:BLOCK_ORDERS]:
        assert same(again.add(each), whole.add(each))
    assert same(again.total(), whole.total())


def split(first_only: int, second_only: int) -> Tally:
    """Of two scorers: orders that only the first hit, and that only the second hit."""
    return merged(
        [tally_of(np.array([0, MISSED]))] * first_only + [tally_of(np.array([MISSED, 0]))] * second_only,
        empty_tally(2),
    )


def test_the_scorer_without_claims_gives_way_only_to_a_lead_beyond_chance() -> None:
    assert choose(split(40, 60), serving=0).scorer == 0  # 20 of 100: two standard deviations
    assert choose(split(35, 65), serving=0).scorer == 1  # three
    assert choose(split(35, 65), serving=0).margin == 30


def test_of_two_that_hit_as_often_the_one_that_places_higher_serves() -> None:
    low, high = [np.array([8, 3, 0]), np.array([9, 4, 1])], [np.array([0, 0, 0])]
    tally = merged([tally_of(ranks) for ranks in (low + high) * 20], empty_tally(3))

    assert len({int(hits) for hits in tally.hits}) == 1
    assert choose(tally, serving=1).scorer == 0, "it claims and hits no more than the first"
    more = tally + merged([tally_of(np.array([MISSED, 3, 0]))] * 5, empty_tally(3))
    assert choose(more, serving=1).scorer == 2


def test_a_claim_that_is_not_ahead_of_popularity_any_more_is_dropped_at_once() -> None:
    assert choose(split(50, 51), serving=1).scorer == 1
    assert choose(split(50, 50), serving=1).scorer == 0


def test_two_scorers_about_as_good_do_not_take_turns() -> None:
    dice = np.random.default_rng(11)
    selection, served = Selection(3), []
    for _ in range(3_000):
        lucky = dice.random(2) < 0.5
        selection.add(np.array([MISSED, *np.where(lucky, 0, MISSED)]))
        served.append(selection.serving)
    changes = sum(before != after for before, after in pairwise(served))

    assert set(served[: CHOSEN_FROM - 1]) == {0}, "nothing changes before enough orders were measured"
    assert served[-1] != 0
    assert changes <= 3


def test_without_association_popularity_keeps_serving() -> None:
    dice = np.random.default_rng(5)
    selection = Selection(8)
    for _ in range(5_000):
        hits = dice.random(8) < np.array([0.30, *[0.28] * 7])
        selection.add(np.where(hits, 0, MISSED))
        assert selection.serving == 0
    assert selection.total().orders > BLOCK_ORDERS * (KEPT_BLOCKS - 1)
    total = selection.total()
    assert lead_over_the_rest(total, 0) == int(total.hits[0] - total.hits[1:].max())


def test_until_enough_orders_were_measured_the_first_scorer_serves() -> None:
    selection, served = Selection(2, first=1), []
    for _ in range(CHOSEN_FROM):
        selection.add(np.array([0, MISSED]))
        served.append(selection.serving)

    assert served == [1] * (CHOSEN_FROM - 1) + [0]


def test_a_shop_that_changes_is_followed() -> None:
    selection = Selection(2)
    for _ in range(1_000):
        selection.add(np.array([MISSED, 0]))
    assert selection.serving == 1
    for _ in range(1_001):
        selection.add(np.array([0, MISSED]))
    assert selection.serving == 0


def test_a_single_scorer_has_a_margin_over_nobody() -> None:
    assert choose(merged([tally_of(np.array([0]))], empty_tally(1)), serving=0).margin == 1
