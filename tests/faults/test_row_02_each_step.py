"""Row 2: a worker that ends on the spot before and after each of its steps."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.failpoints import EXIT_CODE, MOMENTS, STEPS

QUICK = {("send", "after"), ("answer", "after")}
"""What the rotation takes: counts without an answer, counts without a commit."""
POINTS = [
    pytest.param(step, moment, marks=[pytest.mark.rotation] if (step, moment) in QUICK else [])
    for step in STEPS
    for moment in MOMENTS
]


@pytest.mark.fault(2)
@pytest.mark.parametrize(("step", "moment"), POINTS)
async def test_a_worker_may_end_at_any_step(arena: Arena, step: str, moment: str) -> None:
    await arena.start(workers=0, max_batch=60)
    arena.feed.returns_share = 0.3 if step in ("take", "amend") else 0.03
    passage = arena.dice.randint(1, 4 if step in ("take", "amend", "commit") else 12)
    worker = await arena.start_worker(f"{step}:{moment}:{passage}")
    arena.flow(orders=20, baskets=20, every_s=0.2, steps=300)
    code = await arena.died(worker)
    assert code == EXIT_CODE, worker.said()[-3000:]
    await (await arena.start_worker()).ready()
    await arena.sleep(0.1, 1.0)
    await arena.prove()


@pytest.mark.fault(2)
@pytest.mark.rotation
async def test_an_order_that_was_counted_and_not_answered_is_answered_by_the_next_worker(
    arena: Arena,
) -> None:
    """With two tags every batch moves every fence: only the commit tells that the answers are missing."""
    await arena.start(workers=0, tags=2, answer_orders="all", max_batch=60)
    worker = await arena.start_worker("answer:after:1")
    await arena.publish(arena.log.step(orders=60, baskets=10))
    assert await arena.died(worker) == EXIT_CODE
    await arena.start_worker()
    await arena.publish(arena.log.step(orders=60, baskets=10))
    await arena.prove()
