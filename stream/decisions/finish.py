"""From a draft to the decision: what is said of each offer, read for all drafts of a chunk at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from stream.decisions.acceptance import NO_ACCEPTANCE
from stream.decisions.arrange import Draft
from stream.decisions.attribution import CROSS_SELL
from stream.decisions.bundles import bundle_up
from stream.decisions.buy_again import again_offer
from stream.decisions.columns import NONE
from stream.decisions.labels import Label
from stream.decisions.model import Decision
from stream.decisions.threshold import name_lift
from stream.decisions.views import Views
from stream.decisions.worth import Worth
from stream.suggestion import Offer, Reason

Said = tuple[Label, int, Reason]
"""What is said of a cross-sell: its product's label and price (`NONE`: unknown), and why it is offered."""


def what_is_said(items: Sequence[int], reasons: Iterable[Reason], views: Views) -> Iterator[Said]:
    """What is said of picks: their labels and prices, read for all at once, and their reasons."""
    places = np.array(items, np.int64)
    goods = views.assortment
    return zip(goods.labels.read(places), goods.price_of.take(places).tolist(), reasons, strict=True)


def finish(draft: Draft, said: Iterator[Said], views: Views) -> Decision:
    """The decision of a draft, its cross-sells taking what is said next, in order."""
    offers, goods = draft.upsells, views.assortment
    basket = draft.considered.basket
    suggestion, tokens, scopes = basket.suggestion_id, goods.added_tokens(basket.tier), goods.scopes
    worth = None
    if views.acceptance is not NO_ACCEPTANCE and views.acceptance.counted(CROSS_SELL).trials:
        worth = Worth(draft.considered, draft.picked, views)
    for candidate, ((tail, sku, title), asked, reason) in zip(draft.picked, said, strict=False):
        score, price = candidate[2], None if asked == NONE else asked
        ident, token = suggestion + tail, tokens[scopes[candidate[3]]]
        offers.append(
            Offer(ident, "cross_sell", sku, score, reason, title, price, None, None, [], token)
            if worth is None
            else Offer(
                *(ident, "cross_sell", sku, score, reason, title, price, None, None, [], token),
                _rounded(worth.expected(candidate)),
            )
        )
    if draft.considered.policy.bundles and draft.considered.others:
        bundle_up(draft.considered, offers, [goods.products[item] for item, *_ in draft.picked])
    if draft.again.chosen:
        offers = _with_due(draft, offers, views)
    if draft.considered.policy.thresholds:
        name_lift(draft.considered, offers)
    return Decision(offers, draft.refused)


def _rounded(expected: float | None) -> int | None:
    return None if expected is None else round(expected)


def _with_due(draft: Draft, offers: list[Offer], views: Views) -> list[Offer]:
    """The offers with what is due behind the upsells and the pinned ones."""
    due = [again_offer(rhythm, draft.considered, views) for rhythm in draft.again.chosen]
    at = sum(offer.kind == "upsell" or offer.reason.code == "PINNED" for offer in offers)
    return [*offers[:at], *due, *offers[at:]]
