"""What the benchmark reads back: stamps of the open loop, latencies, the worker's tally, the command line."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import options, plan_of
from benchmarks.load_reader import latencies
from benchmarks.load_till import read_stamp, stamp
from benchmarks.plan import Plan
from benchmarks.worker import expect, tally_of
from stream.errors import OperatorError


def test_a_stamp_carries_the_intended_time_and_warm_up_does_not_count() -> None:
    assert read_stamp(stamp(1_234, 7, counts=True)) == 1_234
    assert read_stamp(stamp(1_234, 7, counts=False)) is None


def test_percentiles_are_of_all_answers_and_missing_ones_are_counted() -> None:
    found = latencies([number * 1_000_000 for number in range(1, 101)], expected=103)

    assert (found.answers, found.missing, found.max) == (100, 3, 100.0)
    assert found.p50 == pytest.approx(50.5)
    assert found.p99 == pytest.approx(99.01)


def test_no_answer_at_all_is_an_endless_wait() -> None:
    assert latencies([], expected=2).p50 == float("inf")


def test_a_tally_that_lacks_orders_is_an_error() -> None:
    tally = tally_of("dead letters 1, orders.counted 11")

    with pytest.raises(OperatorError, match=r"orders\.counted 11, not 12"):
        expect(tally, "orders.counted", 12)


def test_the_command_line_scales_the_plan() -> None:
    plan = plan_of(options(["--rounds", "5", "--records", "2", "--seconds", "1.5"]))

    assert (plan.rounds, plan.load_seconds, plan.baskets) == (5, 1.5, 2 * Plan().baskets)
