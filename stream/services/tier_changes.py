"""Tier changes: from the outboxes to the topic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from stream.channels import TIER_CHANGES
from stream.cloudevents import OutputHeaders
from stream.codec import encode
from stream.dead_letters import Publishes
from stream.ops.tally import Tally
from stream.publisher import Outgoing
from stream.tables.customers import Customers
from stream.tables.outbox import Outbox, Posted

_headers = OutputHeaders(TIER_CHANGES)


class TierChanges:
    """Publishes what the outboxes hold, and deletes it there once the broker has it."""

    def __init__(
        self, outbox: Outbox, customers: Customers, publisher: Publishes, topic: str, tally: Tally
    ) -> None:
        self._outbox, self._customers = outbox, customers
        self._publisher, self._topic, self._tally = publisher, topic, tally

    async def deliver_all(self, tags: Sequence[int]) -> None:
        """Everything these tags hold. Raises StateUnavailable."""
        await self.deliver(await self._outbox.waiting(tags))

    async def deliver(self, posted: Sequence[Posted]) -> None:
        """These messages. Raises StateUnavailable.

        A customer who was erased while their message was on its way gets the tombstone after it, too.
        """
        now = datetime.fromtimestamp(time.time(), UTC).isoformat()
        messages = [
            Outgoing(
                p.message.customer_id.encode(),
                encode(p.message),
                _headers.headers(p.message.event_id, now, p.message.customer_id),
                p.message.event_id,
            )
            for p in posted
        ]
        await self._publisher.publish(self._topic, messages)
        vanished = await self._outbox.done(posted)
        forgotten = await self._customers.forgotten([p.message.customer_id for p in vanished])
        if forgotten:
            await self._publisher.publish(self._topic, [Outgoing(name.encode(), None) for name in forgotten])
        self._tally.add("tier changes", len(posted))
