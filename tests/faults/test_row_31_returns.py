"""Row 31, with returns: early ones, late ones, some sent twice, and workers that are killed."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.days import SETTLE_S, Days, tallied


@pytest.mark.fault(31)
async def test_late_orders_are_dropped_and_counted_and_others_count_on_their_day(arena: Arena) -> None:
    await arena.start(workers=2, window_panes=3, customer_window_panes=9, expiry_interval_s=0.2)
    days = Days(arena, length=15, orders_a_day=200, late_days=3)
    while not days.over:
        await arena.publish(days.next())
        await arena.caught_up()

    await arena.prove(settle_s=SETTLE_S)

    for worker in arena.running():
        assert await arena.stop_worker(worker) == 0
    arena.measured["late"] = arena.reference.late
    assert tallied(arena, "orders.late") == arena.reference.late > 0
    assert tallied(arena, "orders.counted") + arena.reference.late + arena.reference.duplicates == 15 * 200


@pytest.mark.fault(31)
async def test_late_orders_are_the_same_ones_when_workers_are_killed(arena: Arena) -> None:
    await arena.start(workers=2, window_panes=3, customer_window_panes=9, expiry_interval_s=0.2, max_batch=50)
    days = Days(arena, length=15, orders_a_day=120, late_days=3)
    while not days.over:
        await arena.publish(days.next())
        if arena.dice.random() < 0.3:
            await arena.kill(arena.dice.choice(arena.running()))
            await (await arena.start_worker()).ready()
        await arena.caught_up()

    await arena.prove(settle_s=SETTLE_S)
    arena.measured["late"] = arena.reference.late
    assert arena.reference.late > 0
