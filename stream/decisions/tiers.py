"""Customer tiers from spend, with hysteresis: up at once, down only when well below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def tier_after(spend: Mapping[str, int], current: int, thresholds: Sequence[int]) -> int:
    """Position in `thresholds` of the tier held after `spend` (minor units a currency) is known.

    `thresholds` rise from 0. The tier rises to the highest one that the spend of some currency reaches.
    It falls, one tier after the other, only while spend is under 0.8 x the threshold of the tier held;
    so the end of a decline does not depend on how often it was looked at.

    >>> tier_after({"EUR": 60_000}, 0, (0, 10_000, 50_000))
    2
    >>> tier_after({"EUR": 40_000}, 2, (0, 10_000, 50_000))
    2
    >>> tier_after({"EUR": 39_999}, 2, (0, 10_000, 50_000))
    1
    """
    most = max(spend.values(), default=0)
    held = min(current, len(thresholds) - 1)
    while held > 0 and most * 10 < thresholds[held] * 8:
        held -= 1
    while held + 1 < len(thresholds) and most >= thresholds[held + 1]:
        held += 1
    return held
