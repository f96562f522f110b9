"""Buy-again: what is due by the customer's own rhythm, as offers of their own beside the scored ones."""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from stream.decisions.attribution import NO_BAND, Place, tier_word
from stream.decisions.candidates import Considered
from stream.decisions.codes import IN_CART, SAME_RANGE
from stream.decisions.eligibility import refusal
from stream.decisions.explain import why_again
from stream.decisions.model import Product
from stream.decisions.neighbours import PINNED
from stream.decisions.ranking import DECIMALS
from stream.decisions.rhythm import Rhythm
from stream.decisions.scorers import OWN_PRIOR
from stream.decisions.substitutes import replaces
from stream.decisions.views import Views
from stream.identity import offer_id
from stream.suggestion import Offer, Suppressed


class Again(Struct, frozen=True, gc=False):
    """What of a customer's due products is offered, and which may not be; scores do not speak of these any more."""

    chosen: tuple[Rhythm, ...] = ()
    refused: tuple[Suppressed, ...] = ()
    items: frozenset[int] = frozenset()


NOTHING_DUE = Again()


def choose_again(considered: Considered, upsold: Container[str], room: int, views: Views) -> Again:
    """The due products to offer: the most often bought first, ties going to the one due longest, then to the SKU.

    At most the policy's number, and none in the place of a pinned product.
    """
    shopper, policy = considered.shopper, considered.policy
    if shopper is None or not shopper.rhythms:
        return NOTHING_DUE
    due = [rhythm for rhythm in shopper.rhythms if rhythm.is_due(considered.at_ms, policy)]
    most = min(policy.max_buy_again, room - sum(row.source == PINNED for row in considered.others))
    if not due or most <= 0:
        return NOTHING_DUE
    due.sort(key=lambda each: (-each.times, each.last_ms + each.every_ms, views.skus[each.item]))
    chosen: list[Rhythm] = []
    refused = []
    taken: list[int] = []
    for rhythm in due:
        if len(chosen) == most:
            break
        product = views.assortment.products[rhythm.item]
        code = _refusal(rhythm.item, product, considered, upsold, views)
        of_range = views.assortment.range_of[rhythm.item]
        if code is None and (of_range in taken or replaces(rhythm.item, considered.cart, views, policy)):
            code = SAME_RANGE
        if code is None:
            chosen.append(rhythm)
            if of_range:
                taken.append(of_range)
        else:
            refused.append(Suppressed(views.skus[rhythm.item], code))
    looked_at = frozenset(rhythm.item for rhythm in due[: len(chosen) + len(refused)])
    return Again(tuple(chosen), tuple(refused), looked_at)


def _refusal(
    item: int, product: Product | None, considered: Considered, upsold: Container[str], views: Views
) -> str | None:
    sku = views.skus[item]
    if item in considered.cart or sku in upsold:
        return IN_CART
    return refusal(sku, product, considered.basket, considered.policy, considered.at_ms)


def again_offer(rhythm: Rhythm, considered: Considered, views: Views) -> Offer:
    """The offer of a due product. Its score is how far the rhythm is known: n / (n + 2) after n purchases."""
    sku, product = views.skus[rhythm.item], views.assortment.products[rhythm.item]
    title, price = (None, None) if product is None else (product.title, product.price)
    shelf = product.category[-1] if product is not None and product.category else ""
    return Offer(
        offer_id(considered.basket.suggestion_id, "buy_again", sku),
        "buy_again",
        sku,
        round(rhythm.times / (rhythm.times + OWN_PRIOR), DECIMALS),
        why_again(rhythm, considered.at_ms),
        title,
        price,
        token=Place("buy_again", NO_BAND, tier_word(considered.basket.tier), shelf).token,
    )
