"""A worker in memory: the agents of the real one, event after event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from stream import topics
from stream.codec import encode
from stream.errors import OperatorError
from stream.evaluation.in_step import STEP_MS, InStep, write_suggestions
from stream.events import OrderPlaced
from stream.history.datasets import load_history
from stream.history.replay import topic_messages
from stream.publisher import Outgoing
from stream.settings import load_settings
from stream.suggestion import Suggestion
from tests.contract.orders import order

ONLINE_RETAIL = Path(__file__).parents[1] / "e2e/online_retail/orders.jsonl"
START = datetime(2026, 3, 1, tzinfo=UTC)


def placed(event: OrderPlaced) -> tuple[str, Outgoing, datetime]:
    return topics.ORDER_PLACED, Outgoing(event.order_id.encode(), encode(event)), event.occurred_at


async def test_two_replays_of_a_history_write_the_same_bytes() -> None:
    history = load_history(str(ONLINE_RETAIL), orders=6)
    written, count = list[bytes](), 0
    for _ in range(2):
        file = BytesIO()
        events = topic_messages(history.orders(), (), history.currency, True, None)
        count = await write_suggestions(events, load_settings({}, tags=4), file)
        written.append(file.getvalue())

    lines = written[0].splitlines()
    baskets = sum(len(each.items) for each in history.orders())
    assert written[0] == written[1]
    assert len(lines) == count == baskets, (
        "each basket is answered; orders are, where a customer agreed to it"
    )
    last = msgspec.json.decode(lines[-1], type=Suggestion)
    assert (last.cause.offset, last.cause.topic) == (baskets - 1, "basket-updated")
    assert last.policy_version.endswith("+precision-20")


async def test_orders_leave_the_window_and_records_come_one_a_second_at_most() -> None:
    worker = InStep(load_settings({}, tags=4, window_panes=3))
    await worker.open()
    first = await worker.send(*placed(order("a", "xy", day=0)))
    second = await worker.send(*placed(order("b", "xy", day=0)))

    assert second.at_ms == first.at_ms + STEP_MS
    assert await worker.tables.neighbours.total_orders() == 2
    for day in (2, 5, 6):
        await worker.send(*placed(order(f"c{day}", "z", day=day)))
    assert await worker.tables.neighbours.total_orders() == 2


async def test_a_history_that_a_worker_would_refuse_is_refused() -> None:
    worker = InStep(load_settings({}, tags=4))
    await worker.open()

    with pytest.raises(OperatorError, match="dead letter"):
        await worker.send(topics.ORDER_PLACED, Outgoing(b"a", b"{}"), START + timedelta(days=1))
