"""Marks are ratios of medians; what was not measured is neither reached nor missed."""

from __future__ import annotations

from benchmarks.marks import Mark, marks
from benchmarks.rounds import Rate


def _mark(name: str, **rates: list[Rate]) -> Mark:
    given = {contestant.replace("_", "-"): of for contestant, of in rates.items()}
    return next(mark for mark in marks(given) if mark.name.startswith(name))


def test_a_mark_is_the_ratio_of_the_medians() -> None:
    mark = _mark(
        "transport / raw",
        transport=[Rate(50.0), Rate(60.0), Rate(1.0)],
        raw_getmany=[Rate(100.0), Rate(90.0), Rate(900.0)],
    )

    assert (mark.value, mark.reached) == (0.5, False)


def test_the_better_stock_faust_is_the_one_to_beat() -> None:
    mark = _mark(
        "transport / the better",
        transport=[Rate(300.0)],
        faust_for=[Rate(10.0)],
        faust_take=[Rate(15.0)],
    )

    assert (mark.value, mark.reached) == (20.0, True)


def test_the_order_job_is_held_to_its_pairs() -> None:
    mark = _mark(
        "order job", order_job=[Rate(10.0, more={"pairs_per_s": 200.0})], redis_zincrby=[Rate(400.0)]
    )

    assert (mark.value, mark.reached) == (0.5, True)


def test_a_decision_is_held_to_twenty_microseconds_and_to_a_small_shops() -> None:
    rates = {
        "decisions_small": [Rate(1.0, cpu_us=(25.0,)), Rate(1.0, cpu_us=(16.0,))],
        "decisions_large": [Rate(1.0, cpu_us=(20.0,))],
    }

    assert _mark("20 us", **rates).value == 1.25
    flat = _mark("a decision over", **rates)
    assert (flat.value, flat.reached) == (0.8, False)


def test_one_commit_that_never_came_misses_the_mark() -> None:
    mark = _mark("runs whose", transport=[Rate(1.0, committed=True), Rate(1.0, committed=False)])

    assert (mark.value, mark.reached) == (0.5, False)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert [mark.reached for mark in marks({"transport": [Rate(1.0)]})] == [None] * 7
