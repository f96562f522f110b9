"""P(accept): what a posterior leans on, how it moves with what is counted, and what a token says."""

from __future__ import annotations

import doctest
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decisions import acceptance, attribution
from stream.decisions.acceptance import LEAN, MOVE, NO_ACCEPTANCE, Acceptance, Counts, Estimate, leaning
from stream.decisions.attribution import (
    BANDS,
    KINDS,
    NO_BAND,
    AddedTokens,
    Place,
    climb_band,
    place_of,
    step_band,
)

PRIOR = 0.1
HERE = Place("upsell", "25", "gold", "phones")
BAG = Place("cross_sell", NO_BAND, "gold", "bags")
RUNG = 2

SCOPES = st.sampled_from(["phones", "bikes", "", "a|b"])
TIERS = st.sampled_from(["none", "gold"])
UPSELLS = st.builds(Place, st.just("upsell"), st.sampled_from(BANDS), TIERS, SCOPES)
ADDED = st.builds(Place, st.sampled_from(KINDS[1:]), st.just(NO_BAND), TIERS, SCOPES)
MOVES = st.builds(Place, st.just(MOVE), st.sampled_from([f"2:{band}" for band in BANDS]), TIERS, SCOPES)
COUNTS = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda two: Counts(min(two), max(two)))
COUNTED = st.dictionaries(st.one_of(UPSELLS, ADDED, MOVES), COUNTS, max_size=12)


def moved(place: Place) -> Place:
    """Where moves are counted that tell of an offer at this place."""
    return place._replace(kind=MOVE, band=climb_band(RUNG, place.band))


def step(known: Acceptance, place: Place, rarer: float = 1.0) -> Estimate:
    """P(accept) of an upsell or of what is added."""
    if place.kind == "upsell":
        return known.estimate_step(place, RUNG, PRIOR, rarer)
    return known.estimate(place, PRIOR)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(acceptance).failed == 0
    assert doctest.testmod(attribution).failed == 0


def test_without_anything_counted_the_prior_stands() -> None:
    assert not NO_ACCEPTANCE
    assert step(NO_ACCEPTANCE, HERE) == (pytest.approx(PRIOR), (0, 0), 0)
    assert step(NO_ACCEPTANCE, HERE, 0.25).chance == pytest.approx(PRIOR / 4)
    assert NO_ACCEPTANCE.estimate(BAG, PRIOR) == (pytest.approx(PRIOR), (0, 0), 0)
    assert not NO_ACCEPTANCE.knows("phones")


def test_much_evidence_of_its_own_outweighs_everything_else() -> None:
    known = Acceptance([(HERE, Counts(6_000, 20_000)), (HERE._replace(scope="bikes"), Counts(0, 20_000))])

    found = step(known, HERE)

    assert found.chance == pytest.approx(0.3, rel=0.01)
    assert (found.place, found.scope_trials) == ((6_000, 20_000), 20_000)


def test_a_tier_without_evidence_leans_on_its_band_and_a_range_without_any_on_the_shop() -> None:
    known = Acceptance([(HERE, Counts(300, 1_000))])

    other_tier = step(known, HERE._replace(tier="none")).chance
    other_range = step(known, HERE._replace(scope="bikes")).chance

    assert PRIOR < other_range <= other_tier
    assert other_tier == pytest.approx(0.3, rel=0.05)
    assert known.estimate(Place("cross_sell", NO_BAND, "gold", "phones"), PRIOR).chance == pytest.approx(
        PRIOR
    )


def test_what_people_climb_by_themselves_is_taken_to_be_accepted_sooner() -> None:
    climbed, left = moved(HERE._replace(scope="climbed")), moved(HERE._replace(scope="left"))
    known = Acceptance([(climbed, Counts(200, 1_000)), (left, Counts(0, 1_000))])

    chances = [step(known, HERE._replace(scope=scope)).chance for scope in ("climbed", "new", "left")]

    assert chances == sorted(chances, reverse=True)
    assert chances[1] == pytest.approx(PRIOR)
    assert chances[2] < PRIOR / 10
    assert step(known, HERE._replace(scope="left")).scope_trials == 1_000


def test_a_step_that_people_take_more_often_than_the_next_one_overcomes_its_prior() -> None:
    small, large = HERE._replace(band="10"), HERE._replace(band="50")
    known = Acceptance([(moved(small), Counts(5, 500)), (moved(large), Counts(150, 500))])

    next_one = step(known, small).chance
    best_one = step(known, large, 0.04).chance

    assert best_one > next_one
    assert step(NO_ACCEPTANCE, large, 0.04).chance < PRIOR / 20


@given(COUNTED, st.one_of(UPSELLS, ADDED), st.floats(0.0, 1.0))
def test_a_chance_is_a_chance_whatever_was_counted(
    counted: dict[Place, Counts], place: Place, rarer: float
) -> None:
    known = Acceptance(counted.items())

    found = step(known, place, rarer)

    assert 0.0 <= found.chance < 1.0
    assert found.place == counted.get(place, Counts(0, 0))
    assert 0.0 <= known.chance_of_move(moved(place), rarer) < 1.0


@given(COUNTED, st.one_of(UPSELLS, ADDED), st.integers(1, 100))
def test_more_taken_never_makes_an_offer_less_likely_and_more_left_never_likelier(
    counted: dict[Place, Counts], place: Place, more: int
) -> None:
    base = step(Acceptance(counted.items()), place).chance

    taken = step(Acceptance([*counted.items(), (place, Counts(more, more))]), place).chance
    left = step(Acceptance([*counted.items(), (place, Counts(0, more))]), place).chance

    assert left <= base + 1e-12
    assert taken >= base - 1e-12


@given(COUNTED, UPSELLS, st.randoms(use_true_random=False))
def test_the_order_of_the_counts_does_not_matter(
    counted: dict[Place, Counts], place: Place, dice: Random
) -> None:
    shuffled = list(counted.items())
    dice.shuffle(shuffled)

    assert step(Acceptance(shuffled), place) == step(Acceptance(counted.items()), place)


@given(COUNTS, st.floats(0.0, 1.0))
def test_a_posterior_lies_between_its_own_rate_and_what_it_leans_on(counts: Counts, on: float) -> None:
    rate = counts.taken / counts.trials if counts.trials else on

    assert min(rate, on) - 1e-12 <= leaning(counts, on) <= max(rate, on) + 1e-12
    if counts.trials == LEAN:
        assert leaning(counts, on) == pytest.approx((rate + on) / 2)


@given(st.one_of(UPSELLS, ADDED))
def test_a_token_names_its_place(place: Place) -> None:
    assert place_of(place.token) == place


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_larger_step_is_never_in_a_smaller_band(line: int, one: int, other: int) -> None:
    low, high = sorted((one, other))

    assert BANDS.index(step_band(line, low)) <= BANDS.index(step_band(line, high))


@pytest.mark.parametrize(
    "token",
    [
        *("", "upsell", "upsell|10|gold", "resale|-|gold|x", "upsell|11|gold|x", "upsell|-|gold|x"),
        *("cross_sell|10|gold|x", "cross_sell|-|two words|x", "cross_sell|-||x"),
    ],
)
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"token|such"):
        place_of(token)


def test_a_tier_that_is_no_plain_word_is_counted_with_the_others() -> None:
    assert AddedTokens("gold|x", ["", "bags"])[1] == "cross_sell|-|other|bags"
    assert place_of(AddedTokens("gold", ["a|b"])[0]) == ("cross_sell", NO_BAND, "gold", "a|b")
