"""Fits the precision weights of SKUs whose counts outgrew their last fit, beside the agents.

Readers note such SKUs; every worker marks what its own readers noted, and fits what waits on tags it has the lease of.
A lease ends with every step, so that several workers share the work. A fit reads a bounded number of counts: one
partner list, and the pairs among at most 71 SKUs; the fits of a step share round trips and pairs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from zlib import crc32

import numpy as np

from stream.decisions.precision import MOST_HEADS, is_stale, neighbourhood, precision_weights
from stream.decisions.scorers import FITS
from stream.errors import StateUnavailable
from stream.ops.tally import Tally
from stream.tables import fitted_row
from stream.tables.fitted import HeadsCounted, Waiting
from stream.tables.ids import tag_of
from stream.tables.neighbours import MOST_PARTNERS, unpack
from stream.tables.tables import Tables

logger = logging.getLogger(__name__)

PAUSE_S = 0.1
"""Between two turns that found nothing to do."""

FITS_AT_ONCE = 64
"""SKUs of one step. They share a dozen round trips, each of which waits its turn beside the batches of the agents;
more of them would hold the agents up for longer."""

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
        self._looked_ms: int | None = None
        # Workers begin at different tags, not to be in each other's way.
        self._next_tag = crc32(owner.encode())

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
        """Mark what was noted, then fit some of what waits and nobody else fits; how many SKUs were fitted."""
        # What was noted since the last look may be as old as that look.
        now = now_ms()
        since_ms, self._looked_ms = now if self._looked_ms is None else self._looked_ms, now
        if noted := self._noted():
            await self._tables.fitted.mark(noted, since_ms)
        waiting = await self._tables.fitted.waiting(FITS_AT_ONCE)
        self._tally.counts["fits.waiting"] = sum(total for total, _ in waiting)
        chosen = self._choose(waiting)
        if not chosen:
            return 0
        counted, again = await self._look_at_heads()
        start_s = time.monotonic()
        if again:  # fits do not wait for the sample: they need none
            draw = self._tables.sampling.draw(self._tables.tiers.names[0])
            done, _ = await asyncio.gather(self._step(chosen, now_ms), draw)
        else:
            done = await self._step(chosen, now_ms)
        if done or again:
            self._counted = counted._replace(fits_since=counted.fits_since + done)
            await self._tables.fitted.note_heads(self._counted)
        await self._rest(time.monotonic() - start_s)
        return done

    def _choose(self, waiting: Sequence[Waiting]) -> dict[bytes, int]:
        """SKUs to fit in one step and when they were marked: tag after tag, from where the last step ended."""
        chosen: dict[bytes, int] = {}
        tags = len(waiting)
        start = self._next_tag
        for tag in range(start, start + tags):
            chosen.update((ident, mark) for mark, ident in waiting[tag % tags].oldest)
            self._next_tag = tag + 1
            if len(chosen) >= FITS_AT_ONCE:
                break
        return dict(islice(chosen.items(), FITS_AT_ONCE))

    async def _rest(self, worked_s: float) -> None:
        """Make room for the baskets that wait; without any, for a moment only."""
        await asyncio.sleep(0)
        until_s = time.monotonic() + min(REST * worked_s, LONGEST_REST_S)
        while self._baskets_wait() and time.monotonic() < until_s:
            await asyncio.sleep(REST_STEP_S)

    async def _look_at_heads(self) -> tuple[HeadsCounted, bool]:
        """Know the shop's most ordered SKUs; they are counted again when orders or enough fits have changed.

        That depends on what was counted and fitted alone, never on a clock: a replay finds the same heads. Answers
        whether they were counted again, which is not noted before a new sample was drawn as well.
        """
        table = self._tables.fitted
        counted, orders = await asyncio.gather(table.heads_counted(), self._tables.neighbours.total_orders())
        again = is_stale(counted.orders, orders) or counted.fits_since >= HEADS_EVERY_FITS
        if again:
            await table.count_heads(HEADS_KEPT)
            counted = HeadsCounted(orders, 0)
        if (
            again
            or self._counted is None
            or counted.orders != self._counted.orders
            or counted < self._counted
        ):
            self._heads = await table.heads(HEADS_KEPT)
        self._counted = counted
        return counted, again

    async def _step(self, marks: Mapping[bytes, int], now_ms: Callable[[], int]) -> int:
        """Fit these SKUs, as far as nobody else fits on their tags; how many were fitted."""
        fitted, tags = self._tables.fitted, self._tables.layout.tags
        tag_of_each = {ident: tag_of(ident, tags) for ident in marks}
        epochs = await fitted.lease(sorted(set(tag_of_each.values())), self._owner, now_ms())
        mine = [ident for ident, tag in tag_of_each.items() if tag in epochs]
        if not mine:
            return 0
        done = await fitted.put(epochs, await self._fit(mine))
        if done == len(mine):
            self._tell(now_ms() - marks[ident] for ident in mine)
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
