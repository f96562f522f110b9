"""Tier changes: from the outboxes to the topic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from stream.channels import TIER_CHANGES
from stream.cloudevents import OutputHeaders
from stream.codec import encode
from stream.ops.tally import Tally
from stream.publisher import Outgoing, Publisher
from stream.tables.outbox import Outbox, Posted

_headers = OutputHeaders(TIER_CHANGES)


class TierChanges:
    """Publishes what the outboxes hold, and deletes it there once the broker has it."""

    def __init__(self, outbox: Outbox, publisher: Publisher, topic: str, tally: Tally) -> None:
        self._outbox, self._publisher, self._topic, self._tally = outbox, publisher, topic, tally

    async def deliver_all(self, tags: Sequence[int]) -> None:
        """Everything these tags hold. Raises StateUnavailable."""
        await self.deliver(await self._outbox.waiting(tags))

    async def deliver(self, posted: Sequence[Posted]) -> None:
        """These messages. Raises StateUnavailable."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat()
        messages = [
            Outgoing(
                p.message.customer_id.encode(),
                encode(p.message),
                _headers.headers(p.message.event_id, now, p.message.customer_id),
            )
            for p in posted
        ]
        await self._publisher.publish(self._topic, messages)
        await self._outbox.done(posted)
        self._tally.add("tier changes", len(posted))
