"""One decision from upsells and ranked cross-sells: at most so many, none against another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from stream.decisions.candidates import Considered, superseded
from stream.decisions.codes import (
    BELOW_CONFIDENCE,
    BELOW_SUPPORT,
    CATEGORY_CAP,
    IN_CART,
    NO_OFFERS_ASKED,
    SAME_RANGE,
)
from stream.decisions.eligibility import refusal
from stream.decisions.explain import why_upsell
from stream.decisions.ladder import fare_grid
from stream.decisions.model import Basket, Decision, Product
from stream.decisions.neighbours import Refused
from stream.decisions.policy import Policy
from stream.decisions.scoring import Ranked
from stream.decisions.upsell import NO_UPSELLS, Upsell
from stream.decisions.views import Views
from stream.events import Offer, Reason, Suppressed
from stream.identity import OfferIds, offer_id

SILENCE_KEPT = 5
"""Candidates (or lines) that a decision without offers names."""


class Draft(Struct, frozen=True, gc=False):
    """A decision before its cross-sells are explained: upsells, cross-sells (index and score), refusals."""

    considered: Considered
    upsells: list[Offer]
    items: list[int]
    scores: list[float]
    refused: list[Suppressed]


def arrange(considered: Considered, ranked: Iterable[Ranked], views: Views, policy: Policy) -> Draft:
    """Upsells first, then cross-sells in the order of their scores, until the basket has what it may get."""
    wanted = policy.wanted(considered.basket.max_offers)
    if wanted <= 0:
        return Draft(considered, [], [], [], _lines(considered, NO_OFFERS_ASKED))
    refused: list[Suppressed] = []
    upsells: list[Offer] = []
    if considered.upsells is not NO_UPSELLS:
        refused += considered.upsells.refused[: policy.max_suppressed // 2]
        upsells += [_upsell_offer(up, considered.basket, policy) for up in considered.upsells.chosen]
    if upsells:
        refused += superseded(considered, views)
    draft = Draft(considered, upsells, [], [], refused)
    if len(upsells) < wanted:
        _pick(draft, wanted - len(upsells), ranked, views, policy)
    if not upsells and not draft.items:
        refused += _silence(considered, {entry.sku for entry in refused}, views)
    del refused[policy.max_suppressed :]
    return draft


def _pick(draft: Draft, most: int, ranked: Iterable[Ranked], views: Views, policy: Policy) -> None:
    """Walk down the ranking and take what goes with the basket and with what was taken before it."""
    basket, items, scores, refused = draft.considered.basket, draft.items, draft.scores, draft.refused
    products, cart, currency = views.products, set(draft.considered.cart), basket.currency
    unlimited = basket.max_price is None and not basket.exclude_skus and not basket.excluded_categories
    cap = most if policy.max_per_category is None else policy.max_per_category
    ranges = set(draft.considered.ranges)
    upsold = {views.index.get(offer.sku) for offer in draft.upsells} if draft.upsells else ()
    code: str | None
    for item, score in ranked:
        product = products[item]
        if item in cart:
            code = IN_CART
        elif item in upsold:
            continue
        elif score <= policy.min_score:
            code = BELOW_CONFIDENCE
        elif unlimited and (product is None or (product.plain and product.currency == currency)):
            code = None
        else:
            code = refusal(views.skus[item], product, basket, draft.considered.at_ms)
        if code is None and product is not None:
            if product.range_id is not None and product.range_id in ranges:
                code = SAME_RANGE
            elif len(items) >= cap and _shelf_is_full(product.category, items, products, cap):
                code = CATEGORY_CAP
            elif product.range_id is not None:
                ranges.add(product.range_id)
        if code is None:
            items.append(item)
            scores.append(score)
            if len(items) == most:
                break
        elif len(refused) < policy.max_suppressed:
            refused.append(Suppressed(views.skus[item], code))
        elif code == BELOW_CONFIDENCE:  # so is all that follows, and nobody would be told
            break


def _shelf_is_full(
    category: tuple[str, ...], items: list[int], products: Sequence[Product | None], cap: int
) -> bool:
    """Whether as many of these items as may be are of the category; products without one share none."""
    taken = [product for item in items if (product := products[item]) is not None]
    return bool(category) and sum(product.category == category for product in taken) >= cap


def finish(draft: Draft, reasons: Iterator[Reason], views: Views) -> Decision:
    """The decision of a draft, its cross-sells taking the next reasons in order."""
    offers, ids = draft.upsells, OfferIds(draft.considered.basket.suggestion_id)
    for item, score, reason in zip(draft.items, draft.scores, reasons, strict=False):
        sku, product = views.skus[item], views.products[item]
        title, price = (None, None) if product is None else (product.title, product.price)
        offers.append(
            Offer(
                offer_id=ids.of(sku),
                kind="cross_sell",
                sku=sku,
                score=score,
                reason=reason,
                title=title,
                price=price,
            )
        )
    return Decision(offers, draft.refused)


def _upsell_offer(up: Upsell, basket: Basket, policy: Policy) -> Offer:
    sku, replaced = up.offered.sku, up.held.sku
    return Offer(
        offer_id=offer_id(basket.suggestion_id, "upsell", sku, replaced),
        kind="upsell",
        sku=sku,
        score=up.score,
        reason=why_upsell(up, basket.currency),
        title=up.offered.title,
        price=up.offered.price,
        replaces_sku=replaced,
        price_step=up.price_step,
        ladder=fare_grid(up.ladder, up.held, up.offered, policy),
    )


def _silence(considered: Considered, known: set[str], views: Views) -> list[Suppressed]:
    """Why there is no offer: the best candidates under the floors, else the lines nothing is known about."""
    best: dict[str, Refused] = {}
    for row in considered.rows:
        for entry in row.refused:
            sku = views.skus[entry.item]
            if entry.item in considered.cart or sku in known:
                continue
            if sku not in best or entry.together > best[sku].together:
                best[sku] = entry
    if not best:
        return [] if known else _lines(considered, BELOW_SUPPORT)
    ranked = sorted(best, key=lambda sku: (-best[sku].together, sku))
    return [Suppressed(sku, best[sku].code) for sku in ranked[:SILENCE_KEPT]]


def _lines(considered: Considered, code: str) -> list[Suppressed]:
    """The first lines themselves: there is no candidate to name. An empty basket has none either."""
    return [Suppressed(sku, code) for sku in sorted(considered.prices)[:SILENCE_KEPT]]
