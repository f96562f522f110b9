"""Upkeep: what has to happen without an event. Panes expire, spend leaves the window, outboxes empty."""

from __future__ import annotations

import logging
import time

from stream import topics
from stream.agents.wiring import Wiring
from stream.errors import StateUnavailable, Superseded
from stream.services.tier_changes import TierChanges
from stream.tables.fences import NO_PANE, Owner

logger = logging.getLogger(__name__)

RETURNS_FIRST_S = 60.0
"""So long at most expiry waits for the returns there were: the end of a log may be no record."""

DURABLE_AFTER_S = 10.0
"""What Redis acknowledged so long ago it has synced and replicated, or will never."""


class Upkeep:
    """One round after another; every step may be repeated and may be cut off anywhere."""

    def __init__(self, wiring: Wiring, tier_changes: TierChanges) -> None:
        self._wiring, self._tier_changes = wiring, tier_changes
        self._seen: set[tuple[int, bytes]] = set()
        self._given_up = NO_PANE

    async def round(self) -> None:
        """One round. What is unavailable or no longer ours waits for the next.

        Raises StateLost when the tables went back, which may show nowhere else while no event comes.
        """
        try:
            await self._wiring.positions.check()
            await self._wiring.positions.keep_up()
            end = await self._end()
            if end > NO_PANE:
                await self._settle_unguarded()
                await self._expire(end)
                await self._sweep(end)
                await self._give_up(end)
            await self._deliver_leftovers()
        except (StateUnavailable, Superseded) as exc:
            logger.warning("upkeep waits: %s", exc)
        self._wiring.tally.set("skus.first seen", self._wiring.tables.dictionary.written)
        self._wiring.tally.report()

    def _owners(self) -> list[Owner]:
        return self._wiring.positions.owners(self._wiring.topic(topics.ORDER_PLACED))

    async def _end(self) -> int:
        """The window's end: the highest watermark of all partitions, ours as of now, others as of their commit."""
        stored = await self._wiring.tables.fences.watermark(self._wiring.topic(topics.ORDER_PLACED))
        return max([stored, *(owner.watermark for owner in self._owners())])

    async def _settle_unguarded(self) -> None:
        for owner in self._owners():
            settled = await self._wiring.tables.orders.undoing.settle_unguarded(
                owner, now_s=time.monotonic(), durable_after_s=DURABLE_AFTER_S
            )
            self._wiring.tally.add("undone again", settled)

    async def _expire(self, end: int) -> None:
        positions = self._wiring.positions
        caught_up = positions.caught_up(self._wiring.topic(topics.ORDER_RETURNED))
        if not caught_up and time.monotonic() < positions.taken_s + RETURNS_FIRST_S:
            return  # an order that lost what was returned of it would be taken away whole
        for owner in self._owners():
            gone = await self._wiring.tables.expiry.expire(
                owner, end, now_s=time.monotonic(), durable_after_s=DURABLE_AFTER_S
            )
            self._wiring.tally.add("orders.expired", gone)

    async def _sweep(self, end: int) -> None:
        tables = self._wiring.tables
        first_live = tables.customer_window.live(end).start
        while posted := await tables.customers.sweep(first_live):
            self._wiring.announcer.note(posted)

    async def _give_up(self, end: int) -> None:
        """Let go of what waited through a whole window, whenever that moved on."""
        if end == self._given_up:
            return
        tables = self._wiring.tables
        while dropped := await tables.parked.give_up(tables.window.live(end).start):
            logger.warning("%d returns waited for orders that never came; they are given up", dropped)
            self._wiring.tally.add("returns.given up", dropped)
        first_live = min(tables.window.live(end).start, tables.customer_window.live(end).start)
        await tables.erasures.let_go(first_live)
        await tables.acceptance.let_go()
        await tables.dismissals.let_go(end * tables.window.pane_ms)
        self._given_up = end

    async def _deliver_leftovers(self) -> None:
        """Publish what a worker that died had posted: whatever is still there a round later."""
        waiting = await self._wiring.tables.outbox.waiting()
        leftovers = [posted for posted in waiting if (posted.tag, posted.field) in self._seen]
        self._seen = {(posted.tag, posted.field) for posted in waiting}
        if leftovers:
            await self._tier_changes.deliver(leftovers)
