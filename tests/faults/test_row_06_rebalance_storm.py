"""Row 6: workers come and go all the time."""

from __future__ import annotations

import time

import pytest

from tests.faults.arena import Arena

SHORT_S, WHOLE_S = 40.0, 300.0


@pytest.mark.fault(6)
async def test_counts_stay_exact_while_workers_come_and_go(arena: Arena) -> None:
    """40 s of storm; with `--long` (`make faults LONG=1`) the 5 minutes of the fault matrix."""
    length_s = WHOLE_S if arena.long else SHORT_S
    await arena.start(workers=4)
    arena.flow(orders=10, baskets=10, every_s=0.2, steps=int(length_s * 5))
    ends = time.monotonic() + length_s
    while time.monotonic() < ends:
        await arena.sleep(3.0, 10.0)
        one = arena.dice.choice(arena.running())
        if arena.dice.random() < 0.5:
            await arena.kill(one)
        else:
            # One that was told to stop before it had begun has said nothing and has no say in how it ends.
            assert await arena.stop_worker(one) == 0 or not one.said(), one.said()[-3000:]
        await arena.start_worker()
    await arena.prove()
