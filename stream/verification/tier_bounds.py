"""Which tiers a customer's history allows.

A tier rises at once and falls only when spend is well below its threshold, so it remembers. When spend
enters and leaves the window at about the same time, the moments at which workers saw the one and the other
decide whether a threshold was ever reached. Two histories bound what can be right: old spend left before any
new spend came, and new spend came before any old spend left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Thresholds = Sequence[tuple[str, int]]


def tier_bounds(most: Mapping[str, int], now: Mapping[str, int], thresholds: Thresholds) -> tuple[str, ...]:
    """The names of all tiers that can be right, lowest first; usually one.

    `most` is the largest spend the account can have held, `now` what it holds, by currency.

    >>> marks = (("none", 0), ("bronze", 10_000), ("silver", 50_000))
    >>> tier_bounds({"EUR": 50_000}, {"EUR": 50_000}, marks)
    ('silver',)
    >>> tier_bounds({"EUR": 60_000}, {"EUR": 9_000}, marks)
    ('none', 'bronze')
    """
    lowest = _reached(now, thresholds)
    highest = _reached(most, thresholds)
    spend = max(now.values(), default=0)
    while highest > lowest and spend * 10 < thresholds[highest][1] * 8:
        highest -= 1
    return tuple(name for name, _ in thresholds[lowest : max(highest, lowest) + 1])


def _reached(spend: Mapping[str, int], thresholds: Thresholds) -> int:
    largest = max(spend.values(), default=0)
    return max(i for i, (_, threshold) in enumerate(thresholds) if largest >= threshold or i == 0)
