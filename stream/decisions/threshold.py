"""Threshold offers: of what suits the basket, the product that lifts it over a benefit (free delivery) by the least.

The benefit and its thresholds are the shop's (`policy.thresholds`); nothing is offered for its price alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream.decisions.attribution import place_of
from stream.decisions.candidates import Considered
from stream.decisions.explain import why_threshold
from stream.decisions.ranking import Ranked
from stream.decisions.views import Views
from stream.identity import offer_id
from stream.suggestion import Offer

LOOK_FURTHER = 20
"""Candidates beyond the offers among which the one that lifts the basket is looked for."""


def gap_to_threshold(considered: Considered) -> int:
    """What the basket, with its upsells taken, is short of its currency's threshold (minor units); 0 when it is
    reached, or too far away, or the price of a line is unknown."""
    basket, policy = considered.basket, considered.policy
    threshold = policy.thresholds.get(basket.currency, 0)
    if not all(line.unit_price for line in basket.lines):
        return 0
    value = sum(line.quantity * line.unit_price for line in basket.lines)
    value += sum(up.price_step for up in considered.upsells.chosen)
    missing = threshold - value
    return missing if 0 < missing <= threshold * policy.threshold_reach else 0


def lifted(picked: Sequence[Ranked], room: int, gap: int, currency: str, views: Views) -> list[Ranked]:
    """The first `room` of the picked, the last of them giving way to a cheaper lift from further down.

    Of those whose price closes the gap the cheapest lifts; of equally cheap ones the best-ranked.
    """
    kept = list(picked[:room])
    lift = _cheapest(picked, gap, currency, views)
    if lift is not None and lift not in kept:
        kept[-1] = lift
    return kept


def _cheapest(picked: Sequence[Ranked], gap: int, currency: str, views: Views) -> Ranked | None:
    best: tuple[int, int] | None = None
    for place, (item, *_) in enumerate(picked):
        product = views.assortment.products[item]
        if product is None or product.price is None or product.price < gap or product.currency != currency:
            continue
        if best is None or product.price < best[0]:
            best = product.price, place
    return None if best is None else picked[best[1]]


def _token(of_cross_sell: str | None) -> str | None:
    return None if of_cross_sell is None else place_of(of_cross_sell)._replace(kind="threshold").token


def name_lift(considered: Considered, offers: list[Offer]) -> None:
    """Say of the cross-sell that lifts the basket by the least that it does so."""
    gap = gap_to_threshold(considered)
    lifts = [
        (offer.price, place)
        for place, offer in enumerate(offers)
        if offer.kind == "cross_sell" and offer.price is not None and 0 < gap <= offer.price
    ]
    if not lifts:
        return
    _, place = min(lifts)
    offer, basket = offers[place], considered.basket
    threshold = considered.policy.thresholds[basket.currency]
    offers[place] = msgspec.structs.replace(
        offer,
        offer_id=offer_id(basket.suggestion_id, "threshold", offer.sku),
        kind="threshold",
        token=_token(offer.token),
        reason=why_threshold(offer.reason, gap, threshold, basket.currency),
    )
