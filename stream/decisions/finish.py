"""From a draft to the decision: what is said of each offer, read for all drafts of a chunk at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice, repeat

from stream.decisions.acceptance import NO_ACCEPTANCE
from stream.decisions.attribution import CROSS_SELL
from stream.decisions.bundles import bundle_up
from stream.decisions.buy_again import again_offer
from stream.decisions.candidates import Considered
from stream.decisions.columns import NONE
from stream.decisions.draft import Draft, Picks
from stream.decisions.model import Decision
from stream.decisions.threshold import name_lift
from stream.decisions.views import Views
from stream.decisions.worth import Worth
from stream.suggestion import Offer, Reason


def cross_sells(
    baskets: Sequence[Considered], picks: Picks, reasons: Iterable[Reason], views: Views
) -> list[list[Offer]]:
    """The offers of the cross-sells picked for baskets, basket by basket."""
    goods = views.assortment
    tails, skus, titles = goods.labels.read(picks.items)
    prices: list[int | None] = goods.price_of.take(picks.items).tolist()
    if NONE in prices:
        prices = [None if price == NONE else price for price in prices]
    said = zip(
        *(tails, skus, picks.scores, reasons, titles, prices, picks.kinds),
        _values(baskets, picks, views),
        strict=False,
    )
    tokens_to = {tier: goods.added_tokens(tier) for tier in {each.basket.tier for each in baskets}}
    offers = [
        [
            Offer(own + tail, "cross_sell", sku, score, reason, title, price, tokens[kind], value)
            for tail, sku, score, reason, title, price, kind, value in islice(said, count)
        ]
        for own, tokens, count in zip(
            [considered.basket.suggestion_id for considered in baskets],
            [tokens_to[considered.basket.tier] for considered in baskets],
            picks.counts,
            strict=True,
        )
    ]
    _bundle(baskets, offers, picks, views)
    return offers


def _values(baskets: Sequence[Considered], picks: Picks, views: Views) -> Iterator[int | None]:
    """Expected values, None before any offer of the kind was seen to be taken or left."""
    if views.acceptance is NO_ACCEPTANCE or not views.acceptance.counted(CROSS_SELL).trials:
        return repeat(None)
    ranked = iter(picks.ranked())
    return (
        _rounded(worth.expected(candidate))
        for considered, count in zip(baskets, picks.counts, strict=True)
        for picked in [list(islice(ranked, count))]
        for worth in [Worth(considered, picked, views)]
        for candidate in picked
    )


def _bundle(baskets: Sequence[Considered], offers: Sequence[list[Offer]], picks: Picks, views: Views) -> None:
    """Mark the offers that make up bundles, where the shop wants it and others than orders speak."""
    bundling = [at for at, each in enumerate(baskets) if each.others and each.policy.bundles]
    if not bundling:
        return
    products, items, ends = views.assortment.products, picks.items.tolist(), list(accumulate(picks.counts))
    for at in bundling:
        picked = items[ends[at] - picks.counts[at] : ends[at]]
        bundle_up(baskets[at], offers[at], [products[item] for item in picked])


def finish(draft: Draft, added: list[Offer], views: Views) -> Decision:
    """The decision of a draft and the cross-sells added to it."""
    offers = [*draft.upsells, *added]
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
