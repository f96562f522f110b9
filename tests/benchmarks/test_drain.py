"""Rates leave the warm-up out, and end with the last record."""

from __future__ import annotations

import pytest

from benchmarks.drain import Sample, drained


def _samples(*seen: tuple[float, int]) -> list[Sample]:
    return [Sample(at_s, done, (at_s / 2, at_s / 4)) for at_s, done in seen]


def test_the_clock_runs_from_the_end_of_the_warm_up_to_the_last_record() -> None:
    # 0 ....... 5 s: nothing | 6 s: a tenth | 8 s: half | 10 s: all | 11 s: still all
    rate = drained(_samples((0, 0), (5, 0), (6, 100), (8, 500), (10, 1_000), (11, 1_000)), 1_000)

    assert (rate.events, rate.seconds) == (900, 4.0)
    assert rate.per_s == 225.0


def test_cpu_seconds_are_those_of_the_same_time() -> None:
    rate = drained(_samples((0, 0), (6, 100), (10, 1_000)), 1_000)

    assert rate.cpu_s == (2.0, 1.0)
    assert rate.per_core_s == 450.0


def test_a_backlog_that_is_gone_between_two_looks_has_no_rate() -> None:
    with pytest.raises(ValueError, match="longer"):
        drained(_samples((0, 0), (1, 1_000)), 1_000)
