"""Baskets of which no line has a step, found for a whole batch at once: most, where prices alone speak against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.eligibility import has_wishes
from stream.decisions.ladders import Asking
from stream.decisions.lines import NAMED, RANGED
from stream.decisions.model import Basket
from stream.decisions.policy import Policy
from stream.decisions.upsell import Upsells
from stream.decisions.views import Views
from stream.suggestion import Suppressed

Integers = npt.NDArray[np.int64]

FEW: Final = 16
"""Baskets of which it takes longer to look at them at once than to climb."""

_NO_CURRENCY: Final = -1
"""In the place of a currency: no rung is simply for sale."""

_RANGE_BITS: Final = 32


class KnownLines(NamedTuple):
    """The lines of baskets, in columns: position of the basket, SKU, dense index (-1 for unknown ones), and what more
    there is to say of it (`Lines.more_of`)."""

    at: Integers
    skus: Sequence[str]
    items: Integers
    more: Integers


def stepless(
    baskets: Sequence[Basket],
    prices: Sequence[Mapping[str, int]],
    known: KnownLines,
    views: Views,
    seen: Mapping[tuple[str, str], Policy],
) -> dict[int, Upsells]:
    """What `upsell.choose_upsells` would choose for these baskets, by their position: nothing.

    `prices` are those of the lines of each. Baskets that others than orders speak for as well, or that want something
    else than most do, are not among those found.
    """
    asking = np.flatnonzero(known.more & RANGED)
    if len(baskets) < FEW or not len(asking):
        return {}
    lines, at, items = views.lines, known.at[asking], known.items[asking]
    places, ranges = at.tolist(), lines.range_of.take(items)
    asked = [_asked(baskets[place], views, seen) for place in places]
    own = [prices[place][known.skus[line]] for place, line in zip(places, asking.tolist(), strict=True)]
    answer = lines.ladders.ask(
        Asking(
            ranges,
            lines.level_of.take(items),
            np.array(own),
            np.array([currency for currency, _ in asked]),
            np.array([most for _, most in asked]),
        )
    )
    climbing = np.zeros(len(baskets), np.bool_)
    climbing[at[answer.climbs]] = True
    climbing[known.at[(known.more & NAMED) > 0]] = True
    # A rung of the range may be in the cart: where two lines are of one range somebody has to look.
    theirs = np.sort((at << _RANGE_BITS) | ranges)
    climbing[theirs[1:][theirs[1:] == theirs[:-1]] >> _RANGE_BITS] = True
    passed: dict[int, list[Suppressed]] = {place: [] for place in places if not climbing[place]}
    for place, entry in zip(at[answer.lines].tolist(), answer.passed, strict=True):
        if place in passed:
            passed[place].append(entry)
    return {place: Upsells((), tuple(entries)) for place, entries in passed.items()}


def _asked(basket: Basket, views: Views, seen: Mapping[tuple[str, str], Policy]) -> tuple[int, float]:
    """The number of the basket's currency and the largest factor on a price, if prices alone speak against a step."""
    policy = seen[basket.channel, basket.tier]
    known = basket.customer is not None and basket.customer in views.shoppers
    if known or has_wishes(basket) or policy.bars_any or basket.timing != "in_basket":
        return _NO_CURRENCY, 1.0
    most = policy.max_step if basket.max_step is None else min(policy.max_step, basket.max_step)
    return views.ladders.currency(basket.currency), most
