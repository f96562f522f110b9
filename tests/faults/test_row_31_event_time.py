"""Rows 31 and 32: events out of order, days late, and clocks that are wrong: the workers' and the events'."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.broken_records import BROKEN
from tests.faults.arena import Arena
from tests.faults.load import ORDERS, Message

HOUR_S = 3_600
LATE = re.compile(r"orders\.late (\d+)")
WRONG_TIMES = ("year 2099", "year 9999", "year 1969", "year 1", "time as a number", "time without offset")


@pytest.mark.fault(31)
async def test_orders_out_of_order_and_days_late_leave_what_the_window_says(arena: Arena) -> None:
    """Six days of event time through a window of two: panes expire while orders flow, one in a hundred is late."""
    await arena.start(
        workers=2,
        partitions=2,
        pane_s=HOUR_S,
        window_panes=48,
        customer_window_panes=96,
        expiry_interval_s=0.3,
    )
    first = arena.log.began - timedelta(days=6)
    for hour in range(0, 6 * 24, 2):
        orders = [_somewhere_near(arena, first + timedelta(hours=hour)) for _ in range(20)]
        arena.dice.shuffle(orders)
        await arena.publish(orders)
    await arena.prove(duplicates=0, settle_s=60.0)
    for worker in arena.running():
        assert await arena.stop_worker(worker) == 0
    counted_late = sum(int((LATE.findall(worker.said()) or ["0"])[-1]) for worker in arena.workers)
    assert counted_late == arena.reference.late > 0
    arena.measured["late"] = counted_late


def _somewhere_near(arena: Arena, moment: datetime) -> Message:
    if arena.dice.random() < 0.01:
        return arena.log.order(at=moment - timedelta(days=3))
    return arena.log.order(at=moment + timedelta(minutes=arena.dice.uniform(-10, 10)))


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    "ahead_s", [HOUR_S, -HOUR_S, -24 * HOUR_S], ids=["hour-ahead", "hour-behind", "day-behind"]
)
async def test_a_worker_whose_clock_is_wrong_counts_and_expires_by_event_time(
    arena: Arena, ahead_s: int
) -> None:
    await arena.start(workers=1, pane_s=HOUR_S, window_panes=24, expiry_interval_s=0.3)
    await (await arena.start_worker(FAULTS_CLOCK_S=str(ahead_s))).ready()
    for hour in range(0, 36, 2):
        at = arena.log.began - timedelta(hours=36 - hour)
        await arena.publish(
            [arena.log.order(at=at) for _ in range(10)] + [arena.log.basket() for _ in range(10)]
        )
    await arena.prove(duplicates=0, settle_s=60.0)
    assert all(worker.running for worker in arena.workers)


@pytest.mark.fault(32)
async def test_events_with_impossible_times_end_as_dead_letters_and_move_no_window(arena: Arena) -> None:
    await arena.start(workers=1, pane_s=HOUR_S, window_panes=24, expiry_interval_s=0.3)
    broken = [
        Message(ORDERS, b.key, b.value, poison=True) for b in (BROKEN[ORDERS][name] for name in WRONG_TIMES)
    ]
    await arena.publish(arena.log.step(orders=40, baskets=10))
    # 1970 itself is a time like any other: far too late.
    await arena.publish([arena.log.order(at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) for _ in range(5)])
    await arena.publish(broken)
    await arena.publish(arena.log.step(orders=40, baskets=10))
    await arena.prove(duplicates=0, settle_s=30.0)
    assert len(arena.feed.poisoned) == len(WRONG_TIMES)
    assert len(arena.reference.rows()) > 100
