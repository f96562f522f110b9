"""What waits to be published: one queue a topic, sent in as large batches as have gathered."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from stream.errors import StateUnavailable
from stream.history.replay import CHUNK_BYTES, CHUNK_EVENTS, Publishes
from stream.publisher import Outgoing

logger = logging.getLogger(__name__)

PATIENCE = 5
"""Attempts to publish before the demo gives up; each takes as long as the publisher waits."""


class Outbox:
    """A queue to one topic. Posting never waits; what was posted leaves in order."""

    def __init__(self, publisher: Publishes, topic: str) -> None:
        self._publisher, self._topic = publisher, topic
        self._queue: deque[Outgoing] = deque()
        self._filled = asyncio.Event()
        self.sent = 0
        """Messages the broker has acknowledged."""

    def post(self, message: Outgoing) -> None:
        """Have it sent with the next batch."""
        self._queue.append(message)
        self._filled.set()

    async def send(self) -> None:
        """Send what is posted, until cancelled. Raises StateUnavailable when the broker stays away."""
        while True:
            await self._filled.wait()
            batch = self._take()
            await self._publish(batch)
            self.sent += len(batch)

    def _take(self) -> list[Outgoing]:
        batch: list[Outgoing] = []
        size = 0
        while self._queue and len(batch) < CHUNK_EVENTS and size < CHUNK_BYTES:
            message = self._queue.popleft()
            batch.append(message)
            size += len(message.value or b"")
        if not self._queue:
            self._filled.clear()
        return batch

    async def _publish(self, batch: list[Outgoing]) -> None:
        """Try again what was not confirmed: a part may arrive twice, and twice is counted once."""
        for attempt in range(1, PATIENCE + 1):
            try:
                await self._publisher.publish(self._topic, batch)
            except StateUnavailable as exc:
                if attempt == PATIENCE:
                    raise
                logger.warning("%s; trying again", exc)
            else:
                return
