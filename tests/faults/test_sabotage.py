"""The harness can fail: a worker whose fence or claim is broken turns it red, one without epochs is seen to be."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.faults.arena import Arena
from tests.faults.failpoints import REACHED
from tests.faults.load import ORDERS, RETURNS, Message, message
from tests.faults.proof import Disproved
from tests.faults.worker_process import WorkerProcess

REFUSED = "is left to its new owner"
TOOK_AGAIN = "returns."
"""What a worker's tally says once it has taken any."""


@pytest.mark.rotation
async def test_without_the_fence_a_batch_read_again_counts_twice(arena: Arena) -> None:
    arena.sabotage = "fence"
    await arena.start(workers=0, max_batch=60)
    worker = await arena.start_worker("answer:after:3")
    for _ in range(5):
        await arena.publish(arena.log.step(orders=30, baskets=5))
    await arena.died(worker)
    await arena.start_worker()
    with pytest.raises(Disproved, match="I1 does not hold"):
        await arena.prove()


@pytest.mark.rotation
async def test_without_the_claim_an_order_sent_twice_counts_twice(arena: Arena) -> None:
    arena.sabotage = "claim"
    await arena.start(workers=1)
    orders = arena.log.step(orders=20, baskets=5)
    await arena.publish(orders)
    await arena.publish(orders)
    with pytest.raises(Disproved, match="I1 does not hold"):
        await arena.prove()


@pytest.mark.rotation
async def test_without_the_epoch_a_worker_that_wakes_is_not_refused(arena: Arena) -> None:
    """The counts stay right all the same: what of a return was taken is marked beside them, a second lock."""
    arena.sabotage = "epoch"
    zombie = await wake_in_the_midst_of_returns(arena)
    assert REFUSED not in zombie.said()
    await arena.prove()


@pytest.mark.fault(4)
async def test_a_worker_that_wakes_in_the_midst_of_returns_takes_nothing_again(arena: Arena) -> None:
    await wake_in_the_midst_of_returns(arena)
    await arena.prove()


async def wake_in_the_midst_of_returns(arena: Arena) -> WorkerProcess:
    """A worker stands still before its first return until another one took it and committed; then it goes on."""
    await arena.start(workers=0, partitions=1)
    zombie = await arena.start_worker("take:before:1", FAULTS_ACTION="pause")
    orders = [_two_pieces_each(arena, number) for number in range(5)]
    await arena.publish([message(ORDERS, order["order_id"], order) for order in orders])
    await arena.caught_up()
    await arena.publish([_one_piece_back(order) for order in orders])
    await zombie.says(REACHED)
    arena.history.note("stands still", worker=zombie.name)

    await (await arena.start_worker()).ready()
    await arena.caught_up()
    zombie.process.send_signal(signal.SIGCONT)
    arena.history.note("goes on", worker=zombie.name)
    await zombie.says(TOOK_AGAIN if arena.sabotage == "epoch" else REFUSED)
    return zombie


def _two_pieces_each(arena: Arena, number: int) -> dict[str, Any]:
    order: dict[str, Any] = json.loads(arena.log.order(skus=["sku-01", "sku-02"]).value or b"")
    lines = [{**line, "quantity": 2} for line in order["lines"]]
    return {**order, "customer_id": f"customer-{number}", "lines": lines}


def _one_piece_back(order: dict[str, Any]) -> Message:
    event = {
        **{field: order[field] for field in ("occurred_at", "channel", "order_id")},
        "event_id": f"return-of-{order['order_id']}",
        "reason": "returned",
        "lines": [{"sku": "sku-01", "quantity": 1}],
    }
    return message(RETURNS, order["order_id"], event)
