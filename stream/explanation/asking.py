"""Asks the decision core again, outside of any worker, with the tables as they stand now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream import topics
from stream.codec import occurred_ms
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.views import Views
from stream.events import BasketUpdated, OrderPlaced
from stream.questions import question, question_after
from stream.tables.customers import Known
from stream.tables.dismissal_reader import DismissalReader
from stream.tables.dismissals import Dismissed
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader

FRESH_S = 3600.0
"""What was read once is good for the whole of an inquiry: one answer must not know more than the next."""


class Asking:
    """Questions under one policy."""

    def __init__(self, tables: Tables, policy: Policy, topic_prefix: str) -> None:
        self._tables, self._policy = tables, policy
        self._baskets = topic_prefix + topics.BASKET_UPDATED
        self._orders = topic_prefix + topics.ORDER_PLACED
        self._dismissed = DismissalReader(tables, max_age_s=FRESH_S)
        self._views = ViewReader(tables, policy, max_age_s=FRESH_S)

    async def questions(self, events: Sequence[BasketUpdated | OrderPlaced]) -> list[Basket]:
        """The questions these events ask, with what is known of their customers now."""
        customers = sorted({event.customer_id for event in events if event.customer_id is not None})
        known = await self._tables.customers.known(customers)
        default = self._tables.tiers.names[0]
        dismissed = await self._dismissed.of(events, now_s=0.0)
        return [
            self._question(event, known, default, waved_away)
            for event, waved_away in zip(events, dismissed, strict=True)
        ]

    def _question(
        self,
        event: BasketUpdated | OrderPlaced,
        known: Mapping[str, Known],
        default: str,
        dismissed: Dismissed,
    ) -> Basket:
        at_ms = occurred_ms(event.occurred_at)
        if isinstance(event, OrderPlaced):
            return question_after(self._orders, event, at_ms, known, default, dismissed)
        return question(self._baskets, event, at_ms, known, default, dismissed)

    async def views(self, baskets: Sequence[Basket]) -> Views:
        """What their decisions may know."""
        return await self._views.read(baskets, now_s=0.0)
