"""The door of the decision core: baskets in, decisions out, in the order of the baskets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.decisions.arrange import arrange
from stream.decisions.candidates import Considered, consider_all, fewer_upsells
from stream.decisions.evidence import evidence
from stream.decisions.explain import why_cross_sells
from stream.decisions.finish import cross_sells, finish
from stream.decisions.model import Basket, Decision
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranking
from stream.decisions.scoring import in_chunks, score
from stream.decisions.settled import settle
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


def _decide(chunk: Sequence[Considered], views: Views, policy: Policy) -> list[Decision]:
    """Decisions on baskets that are scored together."""
    scored = score(chunk, views.lines)
    ranking = Ranking(scored, views, policy.max_offers + SPARE)
    settled, picks = settle(chunk, ranking, views)
    walked = [at for at in range(len(chunk)) if at not in settled]
    arranged = [arrange(chunk[at], at, ranking, views) for at in walked]
    picks = picks.followed_by([picked for _, picked in arranged])
    reasons = why_cross_sells(evidence(scored, picks.candidates), scored, views)
    added = iter(cross_sells([chunk[at] for at in (*settled, *walked)], picks, reasons, views))
    decisions = {
        at: Decision(offers, told) for (at, told), offers in zip(settled.items(), added, strict=False)
    }
    for at, (draft, _), offers in zip(walked, arranged, added, strict=True):
        if draft.outbid:
            decisions[at] = _decide([fewer_upsells(draft.considered, views)], views, policy)[0]
        else:
            decisions[at] = finish(draft, offers, views)
    return [decisions[at] for at in range(len(chunk))]
