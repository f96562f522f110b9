"""Row 30: every event two or three times, under its one id."""

from __future__ import annotations

import pytest

from tests.faults.arena import Arena
from tests.faults.load import Message


@pytest.mark.fault(30)
@pytest.mark.rotation
async def test_events_sent_two_or_three_times_count_once(arena: Arena) -> None:
    await arena.start(workers=2, max_batch=100)
    arena.log.duplicate_share = 0.0
    sent: list[Message] = []
    for _ in range(15):
        fresh = arena.log.step(orders=20, baskets=20)
        # The second copy beside the first, the third any time later, over a rebalance too.
        await arena.publish([copy for message in fresh for copy in (message, message)])
        sent += fresh
    late = [message for message in sent if arena.dice.random() < 0.5]
    arena.dice.shuffle(late)
    await arena.kill(arena.dice.choice(arena.running()))
    await arena.publish(late)
    await arena.prove()
    orders = [m for m in [*sent, *sent, *late] if m.topic == "order-placed"]
    assert arena.reference.duplicates == len(orders) - len({m.key for m in orders})
