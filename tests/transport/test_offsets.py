"""The bookkeeping of delivered batches, against a model that keeps every offset."""

from __future__ import annotations

from itertools import takewhile

import hypothesis.strategies as st
import pytest
from faust.types import TP
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from stream.offsets import DeliveredRange, DeliveredRanges

A, B = TP("orders", 0), TP("orders", 1)


def done(ranges: DeliveredRanges, tp: TP, delivered: DeliveredRange) -> None:
    ranges.finish(delivered)
    ranges.acknowledge(tp, delivered.last)


def test_the_position_is_the_end_of_the_longest_finished_prefix() -> None:
    ranges = DeliveredRanges()
    first, second, third = (ranges.deliver(A, at, at + 9) for at in (0, 10, 20))

    done(ranges, A, second)
    assert ranges.position(A) is None
    done(ranges, A, first)
    assert ranges.position(A) == 20
    done(ranges, A, third)
    assert ranges.position(A) == 30


def test_a_batch_at_the_head_that_still_runs_is_not_passed() -> None:
    # 2585 is committed and running, 2586 to 2589 are done: faust-streaming #606 committed 2590.
    ranges = DeliveredRanges()
    running = ranges.deliver(A, 2585, 2585)
    done(ranges, A, ranges.deliver(A, 2586, 2589))

    assert ranges.position(A) is None
    done(ranges, A, running)
    assert ranges.position(A) == 2590


def test_an_acknowledgement_without_finish_moves_nothing_and_is_reported() -> None:
    ranges = DeliveredRanges()
    left = ranges.deliver(A, 0, 4)
    done(ranges, A, ranges.deliver(A, 5, 9))
    ranges.acknowledge(A, 4)

    assert ranges.position(A) is None
    assert ranges.given_up(A) is left
    assert repr(left) == "offsets 0 to 4"


def test_finish_without_acknowledgement_moves_nothing_and_is_not_given_up() -> None:
    ranges = DeliveredRanges()
    ranges.finish(ranges.deliver(A, 0, 4))

    assert ranges.position(A) is None
    assert ranges.given_up(A) is None
    assert ranges.unfinished(A) == 0


def test_offsets_that_are_missing_in_the_log_do_not_stop_the_position() -> None:
    ranges = DeliveredRanges()
    done(ranges, A, ranges.deliver(A, 3, 17))
    done(ranges, A, ranges.deliver(A, 90, 90))

    assert ranges.position(A) == 91


@pytest.mark.parametrize("first", [0, 4, 9])
def test_a_batch_that_overlaps_the_one_before_is_a_bug(first: int) -> None:
    ranges = DeliveredRanges()
    ranges.deliver(A, 0, 9)

    with pytest.raises(ValueError, match="10 was next"):
        ranges.deliver(A, first, 20)


def test_a_batch_before_the_position_is_a_bug_until_the_partition_is_sought() -> None:
    ranges = DeliveredRanges()
    done(ranges, A, ranges.deliver(A, 0, 9))
    assert ranges.position(A) == 10

    with pytest.raises(ValueError, match="10 was next"):
        ranges.deliver(A, 5, 20)
    ranges.drop([A])
    ranges.deliver(A, 5, 20)
    assert ranges.position(A) is None


def test_a_dropped_batch_that_ends_later_moves_no_position() -> None:
    ranges = DeliveredRanges()
    old = ranges.deliver(A, 0, 9, size_bytes=100)
    ranges.drop([A, B])
    again = ranges.deliver(A, 0, 9, size_bytes=70)

    ranges.finish(old)
    ranges.acknowledge(A, 9)

    assert ranges.position(A) is None
    assert ranges.unfinished_bytes == 70
    ranges.finish(again)
    ranges.finish(again)
    assert ranges.position(A) == 10
    assert ranges.unfinished_bytes == 0


def test_a_partition_nothing_was_delivered_of_has_nothing() -> None:
    ranges = DeliveredRanges()
    ranges.acknowledge(A, 3)

    assert ranges.position(A) is None
    assert ranges.given_up(A) is None
    assert ranges.unfinished(A) == 0
    assert ranges.partitions() == []


class Deliveries(RuleBasedStateMachine):
    """Batches go out, end in any order or not at all, partitions come and go."""

    delivered = Bundle("delivered")

    def __init__(self) -> None:
        super().__init__()
        self.ranges = DeliveredRanges()
        self.next_offset = {A: 0, B: 0}
        self.log: dict[TP, list[DeliveredRange]] = {A: [], B: []}
        self.position: dict[TP, int | None] = {A: None, B: None}

    @rule(
        target=delivered,
        tp=st.sampled_from([A, B]),
        gap=st.integers(0, 3),
        span=st.integers(0, 5),
        size=st.integers(0, 9),
    )
    def deliver(self, tp: TP, gap: int, span: int, size: int) -> tuple[TP, DeliveredRange]:
        first = self.next_offset[tp] + gap
        batch = self.ranges.deliver(tp, first, first + span, size)
        self.next_offset[tp] = first + span + 1
        self.log[tp].append(batch)
        return tp, batch

    @rule(target=delivered, batch=consumes(delivered))
    def finish(self, batch: tuple[TP, DeliveredRange]) -> tuple[TP, DeliveredRange]:
        self.ranges.finish(batch[1])
        return batch

    @rule(target=delivered, batch=consumes(delivered))
    def acknowledge(self, batch: tuple[TP, DeliveredRange]) -> tuple[TP, DeliveredRange]:
        tp, delivered = batch
        if delivered in self.log[tp]:
            self.ranges.acknowledge(tp, delivered.last)
        return batch

    @rule(target=delivered, tp=st.sampled_from([A, B]), back=st.integers(0, 10))
    def seek(self, tp: TP, back: int) -> object:
        self.ranges.drop([tp])
        self.log[tp].clear()
        self.position[tp] = None
        self.next_offset[tp] = max(0, self.next_offset[tp] - back)
        return multiple()

    @invariant()
    def the_position_is_the_end_of_the_done_prefix(self) -> None:
        for tp, log in self.log.items():
            prefix = list(takewhile(lambda batch: batch.finished and batch.acknowledged, log))
            expected = prefix[-1].last + 1 if prefix else None
            assert self.ranges.position(tp) == expected

    @invariant()
    def only_batches_that_still_count_are_in_flight(self) -> None:
        running = [batch for log in self.log.values() for batch in log if not batch.finished]
        assert self.ranges.unfinished_bytes == sum(batch.size_bytes for batch in running)
        for tp, log in self.log.items():
            assert self.ranges.unfinished(tp) == sum(not batch.finished for batch in log)
            left = [batch for batch in log if batch.acknowledged and not batch.finished]
            assert self.ranges.given_up(tp) is (left[0] if left else None)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
