"""Simulated days: a load in event time, much faster than the clock on the wall.

The last day is the day before the round began, so that no event is ahead of its record. A day's orders come out of
order; returns come up to five days after their order, some twice, some before it; now and then a customer is erased.

A return is made on the day it is sent, so that the log alone says what it takes. One that is made in its order's window
and read after that may find the order's pane being taken away or not (docs/tables.md): either would be right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.faults.arena import Arena
from tests.faults.load import Message

SETTLE_S = 60.0
"""How long the tables may take to take expired panes away once all is read."""


@dataclass
class Days:
    """Makes the messages of one day after another, `length` days in all."""

    arena: Arena
    length: int
    orders_a_day: int
    late_days: int = 0
    """A hundredth of the orders comes so many days late; 0 for none."""
    returns_share: float = 0.1
    erasures_share: float = 0.0
    """Of the days, on which a customer is erased."""
    day: int = 0
    _returns_of_day: dict[int, list[Message]] = field(default_factory=dict)

    def next(self) -> list[Message]:
        """Everything that happens on the next day, in the order it is sent."""
        log, dice = self.arena.log, self.arena.dice
        midnight = self._midnight
        messages = []
        for _ in range(self.orders_a_day):
            at = midnight + timedelta(seconds=dice.uniform(0, 86_399))
            if self.late_days and self.day >= self.late_days and dice.random() < 0.01:
                at -= timedelta(days=self.late_days)
            messages.append(log.order(at=at))
        for order in list(log.placed):
            if dice.random() < self.returns_share:
                self._plan_return(order)
        messages += self._returns_of_day.pop(self.day, [])
        dice.shuffle(messages)
        if dice.random() < self.erasures_share:
            customer = dice.choice(log.customers)
            messages.append(log.erased(customer, at=midnight + timedelta(seconds=dice.uniform(0, 86_399))))
        self.day += 1
        return messages

    @property
    def _midnight(self) -> datetime:
        """When today begins."""
        began = self.arena.log.began.replace(hour=0, minute=0, second=0)
        return began - timedelta(days=self.length - self.day)

    def _plan_return(self, order: dict[str, Any]) -> None:
        """A return of today up to five days on; of those of today, half come before their order.

        The order itself may be some days late.
        """
        after = self.arena.dice.randint(0, 5)
        placed = datetime.fromisoformat(order["occurred_at"])
        days_late = (self._midnight.date() - placed.date()).days
        at = placed + timedelta(days=days_late + after)
        back = self.arena.log.returned(order, at=at)
        planned = self._returns_of_day.setdefault(self.day + after, [])
        planned += [back] * (2 if self.arena.dice.random() < 0.2 else 1)

    @property
    def over(self) -> bool:
        """No day is left."""
        return self.day >= self.length


def tallied(arena: Arena, name: str) -> int:
    """A count of the workers that have ended, as their last words say it."""
    total = 0
    for worker in arena.workers:
        last = [line for line in worker.said().splitlines() if "so far: " in line][-1:]
        counts = last[0].partition("so far: ")[2].split(", ") if last else []
        total += sum(int(count.rsplit(" ", 1)[1]) for count in counts if count.rsplit(" ", 1)[0] == name)
    return total
