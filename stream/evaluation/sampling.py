"""The sample of a history: its newest orders and what their customers bought, summed up as the workers' fitter does."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from stream.decisions.bought_later import LAG_DAYS, bought_later
from stream.decisions.order_sample import MOST_SAMPLED, OrderSample, SampledOrder, summary
from stream.evaluation.numbered import NOBODY, NumberedOrder

TIER = "none"
"""The tier of everybody: spend is not reckoned here."""

Diaries = Mapping[int, tuple[Sequence[int], Sequence[int]]]
"""What each customer bought: items, and the pane (a day) of each."""


class RecentOrders:
    """The newest orders that were counted. `diaries` are those of the customers by number, kept by whoever counts."""

    def __init__(self, diaries: Diaries) -> None:
        self._diaries = diaries
        self._orders: deque[NumberedOrder] = deque(maxlen=MOST_SAMPLED)

    def add(self, order: NumberedOrder) -> None:
        """An order was counted."""
        self._orders.append(order)

    def summary(self, idents: Sequence[bytes], category_of: Mapping[bytes, str]) -> OrderSample:
        """What these orders say; `idents` are the SKU ids by item."""
        orders = [
            SampledOrder(order.channel, TIER, [idents[item] for item in order.items])
            for order in self._orders
        ]
        customers = sorted({order.customer for order in self._orders} - {NOBODY})
        bought = [self._diaries[customer] for customer in customers]
        diaries = ([(idents[item], pane) for item, pane in zip(*of, strict=True)] for of in bought)
        return summary(orders, category_of, bought_later(diaries, LAG_DAYS))
