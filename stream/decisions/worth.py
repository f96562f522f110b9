"""What an offer of something besides is worth: the chance that it is taken, times what it then brings.

The chance is that of its kind, category and tier, and leans on the score: of the candidates of one basket one that
scores twice as much as they do on average is taken to be twice as likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.decisions.acceptance import ALMOST_SURE
from stream.decisions.attribution import CROSS_SELL, NO_BAND, Place, tier_word
from stream.decisions.candidates import Considered
from stream.decisions.ranking import Ranked
from stream.decisions.views import Views

MOST_LIFT: Final = 2.0
"""A score makes its candidate at most so many times likelier than its category is."""


class Worth:
    """The expected values of some candidates of one basket."""

    def __init__(self, considered: Considered, picked: Sequence[Ranked], views: Views) -> None:
        self._views, self._prior = views, considered.policy.accept_prior
        self._tier = tier_word(considered.basket.tier)
        pinned = {pin.sku for pin in considered.policy.pins}
        self._pinned = {entry[0] for entry in picked if views.skus[entry[0]] in pinned} if pinned else set()
        scores = [entry[2] for entry in picked if entry[0] not in self._pinned]
        self._usual = sum(scores) / len(scores) if scores else 0.0

    def is_pinned(self, candidate: Ranked) -> bool:
        """Whether the shop put it there."""
        return candidate[0] in self._pinned

    def chance(self, candidate: Ranked) -> float:
        """P(accept) of a candidate."""
        item, _, score, _ = candidate
        product = self._views.assortment.products[item]
        shelf = product.category[-1] if product is not None and product.category else ""
        place = Place(CROSS_SELL, NO_BAND, self._tier, shelf)
        chance = self._views.acceptance.estimate(place, self._prior).chance
        lift = score / self._usual if self._usual > 0 and item not in self._pinned else 1.0
        return min(chance * min(lift, MOST_LIFT), ALMOST_SURE)

    def brings(self, candidate: Ranked) -> int | None:
        """Margin where the cost is known, else the price, minor units; None where neither is."""
        product = self._views.assortment.products[candidate[0]]
        if product is None or product.price is None:
            return None
        return product.price if product.cost is None else product.margin()

    def expected(self, candidate: Ranked) -> float | None:
        """The expected value, minor units; None where it cannot be told."""
        brings = self.brings(candidate)
        return None if brings is None else self.chance(candidate) * brings


def by_value(picked: Sequence[Ranked], weight: float, worth: Worth) -> list[Ranked]:
    """Picked candidates in the order of score ^ (1 - weight) x expected value ^ weight; pinned ones stay in front.

    What brings nothing, or nobody knows what, comes last, by score.
    """
    kept = [entry for entry in picked if worth.is_pinned(entry)]
    others = [entry for entry in picked if not worth.is_pinned(entry)]
    keys = [_blend(entry, weight, worth) for entry in others]
    order = sorted(range(len(others)), key=lambda place: (-keys[place], place))
    return [*kept, *(others[place] for place in order)]


def _blend(candidate: Ranked, weight: float, worth: Worth) -> float:
    value, score = worth.expected(candidate), candidate[2]
    if value is None or value <= 0.0 or score <= 0.0:
        return 0.0
    return float(score ** (1.0 - weight) * value**weight)
