"""The simulated days: what they publish has one right outcome, whichever of two records is read first."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.arena import Arena
from tests.faults.days import Days
from tests.faults.load import ORDERS, RETURNS, Load

WINDOW_PANES, LATE_DAYS = 3, 3


def day_of(event: dict[str, Any]) -> int:
    """The day an event speaks of."""
    return datetime.fromisoformat(event["occurred_at"]).toordinal()


@pytest.mark.parametrize("seed", range(5))
def test_a_return_is_read_in_its_orders_window_exactly_when_it_was_made_in_it(seed: int) -> None:
    began = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    log = Load(random.Random(seed), began)
    arena = cast(Arena, SimpleNamespace(log=log, dice=log.dice))
    days = Days(arena, 15, 120, late_days=LATE_DAYS, returns_share=0.5)
    placed: dict[str, tuple[int, int]] = {}  # order id -> the day it is of, the day it is sent
    of_late_orders = 0
    while not days.over:
        today = began.toordinal() - days.length + days.day
        messages = [(m.topic, json.loads(m.value or b"")) for m in days.next()]
        log.placed.clear()
        placed |= {e["order_id"]: (day_of(e), today) for topic, e in messages if topic == ORDERS}
        for back in (event for topic, event in messages if topic == RETURNS):
            pane, sent = placed[back["order_id"]]
            assert (pane > day_of(back) - WINDOW_PANES) == (pane > today - WINDOW_PANES)
            of_late_orders += pane < sent
    assert of_late_orders > 0
