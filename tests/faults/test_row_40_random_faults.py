"""Row 40: one fault after another, nothing among them, for as long as one likes."""

from __future__ import annotations

import time

import pytest

from tests.faults.arena import Arena

SHORT_S, WHOLE_S = 45.0, 4 * 3_600.0
FAULTS = ("none", "kill", "stop", "pause", "forget scripts", "cut connections")


@pytest.mark.fault(40)
async def test_counts_stay_exact_and_workers_small_through_fault_after_fault(arena: Arena) -> None:
    """45 s; with `--long` (`make faults ROWS=40 LONG=1`) four hours."""
    length_s = WHOLE_S if arena.long else SHORT_S
    await arena.start(redis="own", workers=2, partitions=4)
    arena.flow(orders=8, baskets=8, every_s=0.25, steps=int(length_s * 4))
    ends = time.monotonic() + length_s
    suffered = dict.fromkeys(FAULTS, 0)
    while time.monotonic() < ends:
        await arena.sleep(1.0, 6.0)
        fault = arena.dice.choice(FAULTS)
        suffered[fault] += 1
        await suffer(arena, fault)
    arena.measured["faults"] = suffered
    await arena.prove()


async def suffer(arena: Arena, fault: str) -> None:
    """One fault, and what has to follow it."""
    arena.history.note("fault", name=fault)
    one = arena.dice.choice(arena.running())
    match fault:
        case "kill":
            await arena.kill(one)
            await arena.start_worker()
        case "stop":
            assert await arena.stop_worker(one) == 0 or not one.said(), one.said()[-3000:]
            await arena.start_worker()
        case "pause":
            one.pause()
            await arena.sleep(0.5, 3.0)
            one.resume()
        case "forget scripts":
            await arena.tables.store.commands([("SCRIPT", "FLUSH")])
        case "cut connections":
            # A batch whose answers were on their way is answered again, under the same ids.
            await arena.tables.store.commands([("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")])
