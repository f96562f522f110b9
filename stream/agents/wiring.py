"""What agents are wired to: tables, publisher, policy and positions of one worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stream import topics
from stream.agents.shell import Shell
from stream.channels import TIER_CHANGES
from stream.cloudevents import OutputHeaders
from stream.codec import encode
from stream.dead_letters import DeadLetter, DeadLetters
from stream.decisions.policy import Policy
from stream.ops.tally import Tally
from stream.positions import TablePositions
from stream.publisher import Outgoing, Publisher
from stream.tables.outbox import Posted
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader

_headers = OutputHeaders(TIER_CHANGES)


@dataclass(frozen=True, slots=True)
class Wiring:
    """Made once, by `create_app`."""

    topic_prefix: str
    default_tier: str
    tables: Tables
    views: ViewReader
    policy: Policy
    publisher: Publisher
    dead_letters: DeadLetters
    positions: TablePositions
    shell: Shell
    tally: Tally

    def topic(self, name: str) -> str:
        """The topic's name on this Kafka."""
        return self.topic_prefix + name

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Publish dead letters; returns when the broker has them. Raises StateUnavailable."""
        if letters:
            await self.dead_letters.send(letters)
            self.tally.add("dead letters", len(letters))

    async def announce(self, tags: Sequence[int]) -> None:
        """Publish what the outboxes of these tags hold, and delete it there once the broker has it."""
        if tags:
            await self.deliver(await self.tables.outbox.waiting(tags))

    async def deliver(self, posted: Sequence[Posted]) -> None:
        """Publish messages of the outbox."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat()
        messages = [
            Outgoing(
                p.message.customer_id.encode(),
                encode(p.message),
                _headers.headers(p.message.event_id, now, p.message.customer_id),
            )
            for p in posted
        ]
        await self.publisher.publish(self.topic(topics.CUSTOMER_TIER_CHANGED), messages)
        await self.tables.outbox.done(posted)
        self.tally.add("tier changes", len(posted))
