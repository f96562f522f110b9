"""Looks up what the askers of a batch dismissed; a shop whose feedback dismisses nothing pays one read a second."""

from __future__ import annotations

from collections.abc import Sequence

from stream.events import BasketUpdated, OrderPlaced
from stream.tables.dismissals import NOTHING_DISMISSED, Asker, Dismissed
from stream.tables.tables import Tables

_NEVER = float("-inf")


class DismissalReader:
    """Remembers which tags hold dismissals at all, for a bounded time."""

    def __init__(self, tables: Tables, *, max_age_s: float) -> None:
        self._tables, self._max_age_s = tables, max_age_s
        self._used: frozenset[int] = frozenset()
        self._read_s = _NEVER
        tables.with_cache(self._forget)

    def _forget(self) -> None:
        self._read_s = _NEVER

    async def of(self, events: Sequence[BasketUpdated | OrderPlaced], now_s: float) -> list[Dismissed]:
        """What the baskets and customers of these events dismissed, in their order. Raises StateUnavailable."""
        if self._read_s <= now_s - self._max_age_s:
            self._used = await self._tables.dismissals.used()
            self._read_s = now_s
        if not self._used:
            return [NOTHING_DISMISSED] * len(events)
        askers = [Asker(event.basket_id, event.customer_id) for event in events]
        return await self._tables.dismissals.of(askers, self._used)
