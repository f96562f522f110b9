"""The door of the decision core: baskets in, decisions out, in the order of the baskets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.decisions.arrange import Draft, arrange
from stream.decisions.candidates import Considered, consider_all, fewer_upsells
from stream.decisions.evidence import evidence
from stream.decisions.explain import why_cross_sells
from stream.decisions.finish import finish, what_is_said
from stream.decisions.model import Basket, Decision
from stream.decisions.policy import Policy
from stream.decisions.scoring import Ranking, Scored, in_chunks, score
from stream.decisions.views import Views

SPARE = 7
"""Candidates put in order at once beyond the offers: mostly enough for the cart and a few sold out."""


def decide_batch(baskets: Sequence[Basket], views: Views, policy: Policy, now_ms: int) -> list[Decision]:
    """A decision for each basket; the same bytes whatever else is in the batch and in whatever order.

    `now_ms` is the moment products have to be for sale at, for baskets that bring none of their own.
    """
    seen = seen_policies(baskets, policy)
    considered = consider_all(baskets, views, seen, now_ms)
    decisions: dict[int, Decision] = {}
    for chunk in in_chunks(considered):
        decided = _decide([considered[at] for at in chunk], views, policy)
        decisions.update(zip(chunk, decided, strict=True))
    return [decisions[at] for at in range(len(baskets))]


def seen_policies(baskets: Iterable[Basket], policy: Policy) -> dict[tuple[str, str], Policy]:
    """The policy as each channel and tier among these baskets sees it."""
    kinds = {(basket.channel, basket.tier) for basket in baskets}
    return {(channel, tier): policy.seen_by(channel, tier) for channel, tier in kinds}


def draft_all(chunk: Sequence[Considered], views: Views, first: int) -> tuple[Scored, Ranking, list[Draft]]:
    """Drafts of baskets that are scored together; so many candidates of each are put in order at once."""
    scored = score(chunk, views.lines)
    ranking = Ranking(scored, views, first)
    drafts = [arrange(considered, at, ranking, views) for at, considered in enumerate(chunk)]
    return scored, ranking, drafts


def _decide(chunk: Sequence[Considered], views: Views, policy: Policy) -> list[Decision]:
    scored, _, drafts = draft_all(chunk, views, policy.max_offers + SPARE)
    picked = [entry for draft in drafts for entry in draft.picked]
    reasons = why_cross_sells(evidence(scored, [entry[1] for entry in picked]), scored, views)
    offered = what_is_said([entry[0] for entry in picked], reasons, views)
    return [
        _decide([fewer_upsells(draft.considered, views)], views, policy)[0]
        if draft.outbid
        else finish(draft, offered, views)
        for draft in drafts
    ]
