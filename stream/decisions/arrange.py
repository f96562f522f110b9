"""One decision from upsells and ranked cross-sells: at most so many, none against another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.decisions.attribution import CROSS_SELL
from stream.decisions.buy_again import NOTHING_DUE, choose_again
from stream.decisions.candidates import Considered
from stream.decisions.codes import (
    BELOW_CONFIDENCE,
    BELOW_SUPPORT,
    CATEGORY_CAP,
    IN_CART,
    NO_OFFERS_ASKED,
    SAME_RANGE,
)
from stream.decisions.draft import Draft
from stream.decisions.eligibility import has_wishes
from stream.decisions.explain import why_upsell
from stream.decisions.model import Basket
from stream.decisions.neighbours import Refused
from stream.decisions.objections import objection
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranked, Ranking
from stream.decisions.superseded import superseded
from stream.decisions.threshold import LOOK_FURTHER, gap_to_threshold, lifted
from stream.decisions.upsell import NO_UPSELLS, Upsell
from stream.decisions.views import Views
from stream.decisions.worth import Worth, by_value
from stream.suggestion import Offer, Suppressed

SILENCE_KEPT = 5
"""Candidates (or lines) that a decision without offers names."""


def arrange(
    considered: Considered, at: int, ranking: Ranking, views: Views
) -> tuple[Draft, Sequence[Ranked]]:
    """Upsells first, then pinned products, what is due again, and cross-sells in the order of their scores.

    `at` is the basket's position in the ranking. The draft, and the cross-sells that are picked.
    """
    policy = considered.policy
    wanted = policy.wanted(considered.basket.max_offers)
    if wanted <= 0:
        return Draft(considered, [], _lines(considered, NO_OFFERS_ASKED)), ()
    refused: list[Suppressed] = []
    upsells: list[Offer] = []
    if considered.upsells is not NO_UPSELLS:
        refused += considered.upsells.refused[: policy.max_suppressed // 2]
        upsells += [_upsell_offer(up, considered.basket, policy) for up in considered.upsells.chosen]
    if upsells:
        refused += superseded(considered, ranking.all_of(at), views)
    room, again = wanted - len(upsells), NOTHING_DUE
    if considered.shopper is not None and room > 0:
        again = choose_again(considered, {offer.sku for offer in upsells}, room, views)
        for rhythm in again.chosen:
            _forgive(views.skus[rhythm.item], refused)
        refused += again.refused
        room -= len(again.chosen)
    draft = Draft(considered, upsells, refused, again)
    picked: Sequence[Ranked] = ()
    weighing = bool(upsells) and bool(views.acceptance.counted(CROSS_SELL).trials)
    if room > 0 or weighing:
        gap = gap_to_threshold(considered) if policy.thresholds and room > 0 else 0
        further = LOOK_FURTHER if gap or policy.value_weight else weighing
        picked = _pick(draft, room + further, wanted - len(upsells), ranking.walk(at), views)
        if policy.value_weight:
            picked = by_value(picked, policy.value_weight, Worth(considered, picked, views))
        if weighing and len(picked) > room and _outbids(picked, room, considered, views):
            return Draft(considered, [], [], outbid=True), ()
        if further:
            picked = lifted(picked, room, gap, considered.basket.currency, views) if gap else picked[:room]
    if not upsells and not picked and not again.chosen:
        refused += _silence(considered, {entry.sku for entry in refused}, views)
    del refused[policy.max_suppressed :]
    return draft, picked


def _outbids(picked: Sequence[Ranked], room: int, considered: Considered, views: Views) -> bool:
    """Whether the first candidate without a place is worth more than the upsell worth least."""
    expected = Worth(considered, picked, views).expected(picked[room])
    return expected is not None and expected > min(up.expected for up in considered.upsells.chosen)


def _pick(draft: Draft, most: int, places: int, ranked: Iterable[Ranked], views: Views) -> list[Ranked]:
    """Walk down the ranking and take what goes with the basket. There are so many `places` for what is added to it.
    What is refused on the way is noted in the draft.

    Of several products of one range that no line is of, which to take is the shopper's choice: all may be offered.
    What is due again has been chosen, and nothing is offered instead of it.
    """
    considered, refused = draft.considered, draft.refused
    basket, cart, policy, goods = considered.basket, considered.cart, considered.policy, views.assortment
    plain = () if has_wishes(basket) or policy.bars_any else goods.plain_in(basket.currency)
    cap = most if policy.max_per_category is None else policy.most_alike(places)
    kinds, floor, again = goods.kinds, policy.min_score, draft.again.items
    shelves = [kinds[goods.kind_of[rhythm.item]].shelf for rhythm in draft.again.chosen]
    due_ranges = [found for rhythm in draft.again.chosen if (found := goods.range_of[rhythm.item])]
    upsold = {offer.sku for offer in draft.upsells}
    ranged, known = considered.ranged or bool(due_ranges), considered.shopper is not None
    picked: list[Ranked] = []
    code: str | None
    for candidate in ranked:
        item, _, score, kind = candidate
        sale, shelf = kinds[kind]
        of_range = goods.range_of[item] if ranged else 0
        if item in cart:
            code = IN_CART
        elif item in again or (upsold and views.skus[item] in upsold):
            continue
        elif score <= floor:
            code = BELOW_CONFIDENCE
        elif sale in plain and not of_range and not known:
            code = None
        else:
            code = objection(item, considered, views, sale in plain)
        if code is None and of_range in due_ranges:
            code = SAME_RANGE
        if code is None and shelf and len(shelves) >= cap and shelves.count(shelf) >= cap:
            code = CATEGORY_CAP
        if code is None:
            picked.append(candidate)
            if of_range and refused:
                _forgive(views.skus[item], refused)
            if len(picked) == most:
                break
            shelves.append(shelf)
        elif len(refused) < policy.max_suppressed:
            refused.append(Suppressed(views.skus[item], code))
        elif code == BELOW_CONFIDENCE:  # so is all that follows, and nobody would be told
            break
    return picked


def _forgive(sku: str, refused: list[Suppressed]) -> None:
    """What is no step up from a line may be offered beside it: then it is not refused."""
    refused[:] = [entry for entry in refused if entry.sku != sku]


def _upsell_offer(up: Upsell, basket: Basket, policy: Policy) -> Offer:
    step = up.ladder.step(up.held, up.offered, policy.max_grid_rungs)
    return Offer(
        offer_id=basket.suggestion_id + step.offer_tail,
        kind="upsell",
        sku=up.offered.sku,
        score=up.score,
        reason=why_upsell(up, step, basket.currency),
        title=up.offered.title,
        price=up.offered.price,
        replaces_sku=up.held.sku,
        price_step=up.price_step,
        ladder=step.grid,
        token=up.place(basket.tier).token,
        expected_value=None if up.estimate is None else round(up.expected),
    )


def _silence(considered: Considered, known: set[str], views: Views) -> list[Suppressed]:
    """Why there is no offer: the best candidates under the floors, else the lines nothing is known about."""
    best: dict[str, Refused] = {}
    for row in considered.rows(views.lines):
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
