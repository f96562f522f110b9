"""The announcer: publishes what the outboxes hold as soon as a batch has posted there, beside the batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from stream.errors import StateLost, StateUnavailable

logger = logging.getLogger(__name__)

PAUSE_S = 1.0


class Announcer:
    """Batches need not wait for it: what is in an outbox is safe there, and is published again after a crash."""

    def __init__(self, deliver: Callable[[list[int]], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._tags: set[int] = set()
        self._posted = asyncio.Event()

    def note(self, tags: Iterable[int]) -> None:
        """These tags have something in their outbox."""
        self._tags.update(tags)
        if self._tags:
            self._posted.set()

    async def run(self) -> None:
        """Deliver whenever something is noted; what is unavailable is tried again after a pause."""
        while True:
            await self._posted.wait()
            self._posted.clear()
            tags, self._tags = self._tags, set()
            try:
                await self._deliver(sorted(tags))
            except (StateUnavailable, StateLost) as exc:
                logger.warning("announcements wait: %s", exc)
                await asyncio.sleep(PAUSE_S)
                self.note(tags)
