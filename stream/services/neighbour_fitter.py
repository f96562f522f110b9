"""Fits the precision weights of SKUs whose counts outgrew their last fit, beside the agents.

Readers note such SKUs; every worker marks what its own readers noted, and fits what waits on tags it has the lease of.
Leases are given back after every step, so that several workers share the work. A fit reads a bounded number of
counts: one partner list, and the pairs among at most 71 SKUs; the fits of a step share round trips and pairs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from stream.decisions.precision import MOST_HEADS, is_stale, neighbourhood, precision_weights
from stream.decisions.scorers import FITS
from stream.errors import StateUnavailable
from stream.ops.tally import Tally
from stream.tables import fitted_row
from stream.tables.fitted import HeadsCounted
from stream.tables.neighbours import MOST_PARTNERS, unpack
from stream.tables.tables import Tables

logger = logging.getLogger(__name__)

PAUSE_S = 0.1
"""Between two turns that found nothing to do."""

FITS_AT_ONCE = 16
"""SKUs that are fitted between two looks at the rest of the worker's work: some ten milliseconds."""

TAGS_AT_ONCE = 8
"""Tags of one step: other workers may fit on the others meanwhile."""

REST = 3.0
LONGEST_REST_S = 0.25
"""While baskets wait, so many times as long as a step took belongs to them, at most. Without it the first fits of a
shop of 5,000 SKUs held baskets up for seconds."""

REST_STEP_S = 0.002
"""How often it is looked whether baskets still wait."""

HEADS_KEPT = MOST_PARTNERS + MOST_HEADS
"""Most ordered SKUs known, so that a neighbourhood finds enough that are no partners."""

HEADS_EVERY_FITS = 2_000
"""Fits after which the most ordered SKUs are counted again, if orders have not grown or shrunk by a tenth before."""

LAGS = ((500, "fits.within_500ms"), (1_000, "fits.within_1s"), (2_000, "fits.within_2s"))


def _never() -> bool:
    return False


class NeighbourFitter:
    """One turn after another; a turn may be cut off anywhere and repeated by anybody.

    `noted` are the SKUs seen to need a fit since the last call; `baskets_wait` says whether to make room for them.
    """

    def __init__(
        self,
        tables: Tables,
        noted: Callable[[], set[bytes]],
        tally: Tally,
        owner: str,
        baskets_wait: Callable[[], bool] = _never,
    ) -> None:
        self._tables, self._noted, self._tally, self._owner = tables, noted, tally, owner
        self._baskets_wait = baskets_wait
        self._heads: list[bytes] = []
        self._counted: HeadsCounted | None = None

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
        tags = [tag for tag, some in enumerate(waiting) if some]
        if not tags:
            return 0
        await self._look_at_heads()
        done = 0
        for start in range(0, len(tags), TAGS_AT_ONCE):
            start_s = time.monotonic()
            done += await self._step(tags[start : start + TAGS_AT_ONCE], now_ms)
            await self._rest(time.monotonic() - start_s)
        await self._tables.fitted.add_fits(done)
        return done

    async def _rest(self, worked_s: float) -> None:
        """Make room for the baskets that wait; without any, for a moment only."""
        await asyncio.sleep(0)
        until_s = time.monotonic() + min(REST * worked_s, LONGEST_REST_S)
        while self._baskets_wait() and time.monotonic() < until_s:
            await asyncio.sleep(REST_STEP_S)

    async def _look_at_heads(self) -> None:
        """Know the shop's most ordered SKUs; they are counted again when orders or enough fits have changed.

        That depends on what was counted and fitted alone, never on a clock: a replay finds the same heads.
        """
        counted, table = await self._tables.fitted.heads_counted(), self._tables.fitted
        orders = await self._tables.neighbours.total_orders()
        if is_stale(counted.orders, orders) or counted.fits_since >= HEADS_EVERY_FITS:
            for tag in range(self._tables.layout.tags):
                await table.count_heads(tag, HEADS_KEPT)
            await self._tables.sampling.draw(self._tables.tiers.names[0])
            counted = HeadsCounted(orders, 0)
            await table.note_heads(counted)
            self._counted = None
        if self._counted is None or counted.orders != self._counted.orders or counted < self._counted:
            self._heads = await table.heads(HEADS_KEPT)
        self._counted = counted

    async def _step(self, tags: Sequence[int], now_ms: Callable[[], int]) -> int:
        """Fit what waits longest on these tags, as far as nobody else does; how many were fitted."""
        table = self._tables.fitted
        epochs = await table.lease(tags, self._owner, now_ms())
        leased = list(epochs)
        found = await table.longest_waiting(leased, FITS_AT_ONCE)
        oldest = sorted((mark, ident) for marks in found for ident, mark in marks.items())[:FITS_AT_ONCE]
        done = 0
        if oldest:
            done = await table.put(epochs, await self._fit([ident for _, ident in oldest]))
        await table.lease(leased, self._owner, now_ms(), 0)
        if done == len(oldest):
            self._tell(now_ms() - mark for mark, _ in oldest)
        return done

    def _tell(self, lags_ms: Iterable[int]) -> None:
        """Count fits by how long after they were found to be needed they were there."""
        for lag_ms in lags_ms:
            self._tally.add(next((name for limit, name in LAGS if lag_ms < limit), "fits.later"))

    async def _fit(self, idents: Sequence[bytes]) -> dict[bytes, bytes]:
        """The packed rows of these SKUs, from the counts of the moment; b"" for one that nobody orders any more."""
        tables = self._tables
        lists = [unpack(raw) for raw in await tables.neighbours.read(idents)]
        groups = [
            neighbourhood(ident, partners, self._heads)
            for ident, (_, partners, _) in zip(idents, lists, strict=True)
        ]
        distinct = sorted({member for group in groups for member in group})
        orders = dict(zip(distinct, await tables.neighbours.order_counts(distinct), strict=True))
        squares = await tables.fitted.together(groups, orders)
        # Beside the worker's other work: inverting a matrix holds up no other thread.
        rows = await asyncio.to_thread(_rows, groups, squares, orders)
        return dict(zip(idents, rows, strict=True))


def _rows(
    groups: Sequence[Sequence[bytes]], squares: Sequence[fitted_row.Integers], orders: Mapping[bytes, int]
) -> list[bytes]:
    """The packed row of the first SKU of each neighbourhood; those of one size are fitted in one go."""
    by_size: dict[int, list[int]] = {}
    for at, group in enumerate(groups):
        by_size.setdefault(len(group), []).append(at)
    rows = [b""] * len(groups)
    for places in by_size.values():
        counts = np.array([[orders[member] for member in groups[at]] for at in places], np.int64)
        together = np.stack([squares[at] for at in places])
        weights = precision_weights(together, counts, list(FITS.values()))
        for at, own, met, fits in zip(places, counts[:, 0].tolist(), together, weights, strict=True):
            if own:
                rows[at] = fitted_row.pack(own, groups[at][1:], met[0, 1:], fits)
    return rows
