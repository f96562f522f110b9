"""Fits the precision weights of SKUs whose counts outgrew their last fit, beside the agents.

Readers note such SKUs; every worker marks what its own readers noted, and fits what waits on tags it has the lease of.
A lease is given back after every turn, so that several workers share the work. A fit reads a bounded number of
counts: one partner list, and the pairs among at most 71 SKUs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from stream.decisions.precision import MOST_HEADS, neighbourhood, precision_weights
from stream.decisions.scorers import FITS
from stream.errors import StateUnavailable
from stream.ops.tally import Tally
from stream.tables import fitted
from stream.tables.neighbours import MOST_PARTNERS, unpack
from stream.tables.tables import Tables

logger = logging.getLogger(__name__)

PAUSE_S = 0.2
"""Between two turns that found nothing to do."""

FITS_AT_ONCE = 8
"""SKUs of one tag that are fitted between two looks at the rest of the worker's work: some ten milliseconds."""

REST = 4.0
LONGEST_REST_S = 0.5
"""After the fits of a tag so many times as long belongs to the baskets: fits take about a fifth of a worker's time.
Without it the first fits of a shop of 5,000 SKUs held baskets up for seconds."""

HEADS_KEPT = MOST_PARTNERS + MOST_HEADS
"""Most ordered SKUs known, so that a neighbourhood finds enough that are no partners."""

HEADS_EVERY_MS = 60_000

LAGS = ((500, "fits.within_500ms"), (1_000, "fits.within_1s"), (2_000, "fits.within_2s"))


class NeighbourFitter:
    """One turn after another; a turn may be cut off anywhere and repeated by anybody."""

    def __init__(self, tables: Tables, noted: Callable[[], set[bytes]], tally: Tally, owner: str) -> None:
        self._tables, self._noted, self._tally, self._owner = tables, noted, tally, owner
        self._heads: list[bytes] = []
        self._heads_due_ms = 0

    async def run(self, now_ms: Callable[[], int]) -> None:
        """Fit whatever waits; what is unavailable is tried again after a pause."""
        while True:
            done = 0
            try:
                done = await self.turn(now_ms)
            except StateUnavailable as exc:
                logger.warning("fits wait: %s", exc)
            if not done:
                await asyncio.sleep(PAUSE_S)

    async def turn(self, now_ms: Callable[[], int]) -> int:
        """Mark what was noted, then fit a few SKUs of each tag that nobody else fits; how many were fitted."""
        noted = self._noted()
        if noted:
            await self._tables.fitted.mark(noted, now_ms())
        waiting = await self._tables.fitted.waiting()
        self._tally.counts["fits.waiting"] = sum(waiting)
        if not any(waiting):
            return 0
        await self._look_at_heads(now_ms())
        done = 0
        for tag in (tag for tag, some in enumerate(waiting) if some):
            start_s = time.monotonic()
            done += await self._fit_tag(tag, now_ms)
            await asyncio.sleep(min(REST * (time.monotonic() - start_s), LONGEST_REST_S))
        return done

    async def _look_at_heads(self, now_ms: int) -> None:
        """Count the shop's most ordered SKUs again, one tag after another, every so often."""
        if now_ms < self._heads_due_ms:
            return
        for tag in range(self._tables.layout.tags):
            await self._tables.fitted.count_heads(tag, HEADS_KEPT)
        self._heads = await self._tables.fitted.heads(HEADS_KEPT)
        self._heads_due_ms = now_ms + HEADS_EVERY_MS

    async def _fit_tag(self, tag: int, now_ms: Callable[[], int]) -> int:
        table = self._tables.fitted
        epoch = await table.lease(tag, self._owner, now_ms())
        if epoch is None:
            return 0
        marks = await table.longest_waiting(tag, FITS_AT_ONCE)
        rows = await self._fit(list(marks))
        kept = await table.put(tag, epoch, rows)
        await table.lease(tag, self._owner, now_ms(), 0)
        if not kept:
            return 0
        self._tell(now_ms() - mark for mark in marks.values())
        return len(rows)

    def _tell(self, lags_ms: Iterable[int]) -> None:
        """Count fits by how long after they were found to be needed they were there."""
        for lag_ms in lags_ms:
            self._tally.add(next((name for limit, name in LAGS if lag_ms < limit), "fits.later"))

    async def _fit(self, idents: Sequence[bytes]) -> dict[bytes, bytes]:
        """The packed rows of these SKUs, from the counts of the moment."""
        tables = self._tables
        lists = [unpack(raw) for raw in await tables.neighbours.read(idents)]
        groups = [
            neighbourhood(ident, partners, self._heads)
            for ident, (_, partners, _) in zip(idents, lists, strict=True)
        ]
        distinct = sorted({member for group in groups for member in group})
        counted, squares = await asyncio.gather(
            tables.neighbours.order_counts(distinct), tables.fitted.together(groups)
        )
        orders = dict(zip(distinct, counted, strict=True))
        return {
            ident: self._row(group, square, np.array([orders[member] for member in group], np.int64))
            for ident, group, square in zip(idents, groups, squares, strict=True)
        }

    def _row(self, members: Sequence[bytes], together: fitted.Integers, orders: fitted.Integers) -> bytes:
        weights = precision_weights(together[None], orders[None], list(FITS.values()))
        return fitted.pack(int(orders[0]), members[1:], together[0, 1:], weights[0])
