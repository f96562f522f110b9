"""What a decision was chosen from: every candidate of one basket with its score, its evidence and its fate.

The same functions decide and examine; only the number of refusals that are written down differs.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from stream.decisions.arrange import arrange
from stream.decisions.candidates import Considered, consider, fewer_upsells
from stream.decisions.decide import decide_batch
from stream.decisions.draft import Draft
from stream.decisions.explain import why_again
from stream.decisions.model import Basket, Decision
from stream.decisions.neighbours import FRACTION, NOBODY, NeighbourRow
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranking
from stream.decisions.scoring import Scored, score
from stream.decisions.views import Views

OFFERED: Final = "OFFERED"
NO_ROOM: Final = "NO_ROOM"
"""Nothing speaks against the candidate, but the decision was full before its turn came."""

SOURCES: Final = ("popular", "category", "later", "orders", "own", "catalogue", "pinned")
"""Who speaks in a row, by `NeighbourRow.source`."""

_ALL: Final = 1_000


class Voice(Struct, frozen=True):
    """What one line adds to a candidate's score: `together` of the line's `orders` held both.

    Where no line speaks (popularity, the customer's own orders) `sku` is empty and `together` counts the candidate.
    """

    sku: str
    source: str
    weight: float
    together: int
    orders: int


class Candidate(Struct, frozen=True):
    """A candidate in its place, with who speaks for it and what became of it: `OFFERED`, `NO_ROOM` or a code."""

    sku: str
    title: str | None
    score: float
    fate: str
    voices: list[Voice]


class RungSeen(Struct, frozen=True):
    """A rung that might have taken a line's place, and what became of it."""

    sku: str
    fate: str


class DueSeen(Struct, frozen=True):
    """A product that is due by its customer's rhythm, the reason to offer it, and what became of it."""

    sku: str
    why: str
    fate: str


class Examination(Struct, frozen=True):
    """A decision, the cross-sell candidates best first, the rungs that were looked at, and what is due again."""

    decision: Decision
    candidates: list[Candidate]
    rungs: list[RungSeen]
    due: list[DueSeen] = []


def examine(basket: Basket, views: Views, policy: Policy, now_ms: int, *, most: int = 50) -> Examination:
    """Decide one basket and tell of its best `most` candidates why they are or are not in the decision."""
    decision = decide_batch([basket], views, policy, now_ms)[0]
    seen = policy.seen_by(basket.channel, basket.tier)
    talkative = msgspec.structs.replace(seen, max_suppressed=_ALL)
    considered = consider(basket, views, talkative, now_ms)
    scored, ranking, draft = _drafted(considered, views, most)
    while draft.outbid:
        considered = fewer_upsells(considered, views)
        scored, ranking, draft = _drafted(considered, views, most)
    fates = {entry.sku: entry.code for entry in draft.refused}
    fates |= {offer.sku: OFFERED for offer in decision.offers}
    candidates = [
        Candidate(
            views.skus[item],
            None if (product := views.assortment.products[item]) is None else product.title,
            published,
            fates.get(views.skus[item], NO_ROOM),
            _voices(scored, number, views),
        )
        for (item, number, published, _), _ in zip(ranking.walk(0), range(most), strict=False)
    ]
    return Examination(decision, candidates, _rungs(considered, fates), _due(considered, fates, views))


def _drafted(considered: Considered, views: Views, most: int) -> tuple[Scored, Ranking, Draft]:
    scored = score([considered], views.lines)
    ranking = Ranking(scored, views, most)
    draft, _ = arrange(considered, 0, ranking, views)
    return scored, ranking, draft


def _voices(scored: Scored, candidate: int, views: Views) -> list[Voice]:
    elements = scored.elements[scored.starts[candidate] : scored.starts[candidate + 1]]
    rows = (scored.row_bounds.searchsorted(elements, side="right") - 1).tolist()
    return [
        _voice(scored.row(row), weight, together, views)
        for row, weight, together in zip(
            rows, scored.weights[elements].tolist(), scored.met(elements).tolist(), strict=True
        )
    ]


def _voice(row: NeighbourRow, weight: int, together: int, views: Views) -> Voice:
    sku = "" if row.item == NOBODY else views.skus[row.item]
    return Voice(sku, SOURCES[row.source], round(weight / FRACTION, 9), together, row.orders)


def _due(considered: Considered, fates: dict[str, str], views: Views) -> list[DueSeen]:
    """What is due, by SKU."""
    rhythms = () if considered.shopper is None else considered.shopper.rhythms
    at_ms = considered.at_ms
    due = [
        (views.skus[rhythm.item], why_again(rhythm, at_ms).text)
        for rhythm in rhythms
        if rhythm.is_due(at_ms, considered.policy)
    ]
    return [DueSeen(sku, why, fates.get(sku, NO_ROOM)) for sku, why in sorted(due)]


def _rungs(considered: Considered, fates: dict[str, str]) -> list[RungSeen]:
    """The rungs that were looked at, by SKU; one that is no step up may be offered besides all the same."""
    upsells = considered.upsells
    found = {entry.sku: entry.code for entry in upsells.refused}
    found |= {up.offered.sku: fates.get(up.offered.sku, NO_ROOM) for up in upsells.chosen}
    return [RungSeen(sku, found[sku]) for sku in sorted(found)]
