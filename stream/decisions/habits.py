"""Habits: what a customer's own purchases say, by product: how often, how often of late, and in what rhythm."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp2
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from stream.decisions.ladder import Ladder
from stream.decisions.model import Product
from stream.decisions.neighbours import NOBODY, OWN, NeighbourRow, packed_rows
from stream.decisions.rhythm import FEWEST_TIMES, Rhythm, rhythm_of
from stream.decisions.scorers import Scorer, own_weights
from stream.decisions.window import DAY_MS

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HALF_LIFE_DAYS: Final = 180
"""Days before the customer's last purchase at which a purchase counts half."""


class Habits(Struct, frozen=True):
    """`items` by dense index, bought in `times` orders each, last in the panes `last`; `frequency` is `times` with
    older purchases counting less.

    Frequencies are of the customer's last purchase on, so that they change with the purchases alone.
    """

    items: Integers
    times: Integers
    frequency: Floats
    last: Integers
    rhythms: tuple[Rhythm, ...] = ()


def habits_of(items: Sequence[int], panes: Sequence[int], pane_ms: int) -> Habits:
    """The habits of a customer who bought these items (dense indices) in these panes, an entry an order and item."""
    bought: dict[int, list[int]] = {}
    for item, pane in zip(items, panes, strict=True):
        bought.setdefault(item, []).append(pane)
    bought_in, half_life = set(panes), HALF_LIFE_DAYS * DAY_MS / pane_ms
    last = max(bought_in, default=0)
    # Of the few panes a customer bought in, not of every purchase.
    weight = {pane: exp2((pane - last) / half_life) for pane in bought_in}
    distinct = sorted(bought)
    rhythms: list[Rhythm] = []
    frequency: list[float] = []
    for item in distinct:
        when = bought[item]
        if len(when) == 1:
            frequency.append(weight[when[0]])
            continue
        # Rising, so that the sum does not depend on the order of the diary.
        when.sort()
        frequency.append(sum([weight[pane] for pane in when]))
        if len(when) >= FEWEST_TIMES and (found := rhythm_of(item, when, pane_ms)) is not None:
            rhythms.append(found)
    return Habits(
        np.array(distinct, np.int64),
        np.array([len(bought[item]) for item in distinct], np.int64),
        np.array(frequency, np.float64),
        np.array([max(bought[item]) for item in distinct], np.int64),
        tuple(rhythms),
    )


def last_rung(habits: Habits, ladder: Ladder, skus: Sequence[str]) -> Product | None:
    """The rung of a range that the customer bought last, of several in one pane the highest; None if none.

    `skus` are by dense index.
    """
    rungs = {rung.sku: rung for rung in ladder.rungs}
    bought = [
        (pane, rungs[sku].rung, sku)
        for item, pane in zip(habits.items.tolist(), habits.last.tolist(), strict=True)
        if (sku := skus[item]) in rungs
    ]
    return rungs[max(bought)[2]] if bought else None


def own_rows(
    scorer: Scorer, habits: Sequence[Habits], total: int, boosts: Sequence[Floats] | None = None
) -> list[NeighbourRow]:
    """The row of each customer's habits under a scorer, with `total` orders in the window.

    `boosts` are the policy's factors, by place in the items of each.
    """
    if not habits:
        return []
    bounds = np.cumsum([0, *(len(each.items) for each in habits)])
    items = np.concatenate([each.items for each in habits])
    frequency = np.concatenate([each.frequency for each in habits])
    factors = 1.0 if boosts is None else np.concatenate(boosts)
    weights = own_weights(scorer, frequency, total, factors)
    times = np.concatenate([each.times for each in habits])
    rows = packed_rows(items, weights, times, bounds.tolist())
    return [NeighbourRow(NOBODY, elements, source=OWN) for elements in rows]
