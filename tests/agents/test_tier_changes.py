"""Tier changes on their way while their customer is erased."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from stream.ops.tally import Tally
from stream.publisher import Outgoing
from stream.services.tier_changes import TierChanges
from stream.settings import load_settings
from stream.tables.memory_store import MemoryStore
from stream.tables.tables import Tables
from tests.contract.orders import FIRST_PANE, TOPIC, erased, order


class Topic:
    """Takes messages, and lets something happen before it confirms the first."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.meanwhile: list[Awaitable[Any]] = []

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """See `Publisher`."""
        self.messages += messages
        while self.meanwhile:
            await self.meanwhile.pop(0)


@pytest.mark.parametrize("comes_back", [False, True])
async def test_a_customer_erased_while_a_message_is_on_its_way_has_the_tombstone_last(
    comes_back: bool,
) -> None:
    tables, topic = Tables(MemoryStore(), load_settings({}, tags=3)), Topic()
    changes = TierChanges(tables.outbox, tables.customers, topic, "changes", Tally())
    owner, eraser = await tables.fences.take(TOPIC, 0), await tables.fences.take("customer-erased", 0)
    await tables.orders.place(owner, [(0, order("1", "ab", customer="ann", price=600_00))])
    waiting = await tables.outbox.waiting()
    topic.meanwhile.append(tables.erasures.erase(eraser, [(0, erased("ann"))], FIRST_PANE, 0))
    if comes_back:
        back = order("2", "ab", day=1, customer="ann", price=1_00)
        topic.meanwhile.append(tables.orders.place(owner, [(1, back)]))

    await changes.deliver(waiting)

    values = [message.value is None for message in topic.messages if message.key == b"ann"]
    assert values == ([False] if comes_back else [False, True])
