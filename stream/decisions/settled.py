"""What most baskets take: the first of their ranking, found for a whole chunk at once.

Most baskets ask for nothing in particular, and most candidates are plainly for sale: then the first few are taken as
they stand, but for what is in the cart already. Where anything has to be asked of a basket or of one of these
candidates the basket is not settled, and `arrange` walks down its ranking. Of a settled basket it would make the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.assortment import UNLISTED, Assortment
from stream.decisions.candidates import Considered
from stream.decisions.codes import IN_CART
from stream.decisions.draft import NO_PICKS, Picks
from stream.decisions.eligibility import has_wishes
from stream.decisions.model import Basket
from stream.decisions.objections import objection
from stream.decisions.policy import Policy
from stream.decisions.ranking import Ranking
from stream.decisions.scoring import Integers
from stream.decisions.views import Views
from stream.suggestion import Suppressed

Flags = npt.NDArray[np.bool_]

FEW: Final = 16
"""Baskets of which it takes longer to look at them at once than to walk."""

_RANGE_BITS: Final = 32


class _Question(NamedTuple):
    """What a basket asks for: places for cross-sells (0: to be walked), the number of its currency, what a score has to
    be above, and how many of a category at most."""

    places: int
    currency: int
    floor: float
    cap: int


_WALKED: Final = _Question(0, UNLISTED, 0.0, 0)


class Settled(NamedTuple):
    """What is told to the settled baskets of a chunk besides their offers, by their position in it, and their picks in
    this order."""

    told: dict[int, list[Suppressed]]
    picks: Picks


def settle(chunk: Sequence[Considered], ranking: Ranking, views: Views) -> Settled:
    """Settle the baskets of a chunk that need no walk."""
    if len(chunk) < FEW or not ranking.known.any():
        return Settled({}, NO_PICKS)
    goods = views.assortment
    at_line, lines = ranking.lines()
    questions, asked = _questions(chunk, goods)
    places = np.array([question.places for question in questions])[asked]
    held = ranking.are_lines(at_line, lines)
    fine = _are_plain(ranking, questions, asked, goods) & ~held
    fine &= ~_of_their_ranges(at_line, lines, ranking.items, goods)
    taken = np.cumsum(fine, axis=1)
    settled = (places > 0) & (fine.sum(axis=1) >= places)
    looked_at = (taken - fine < places[:, None]) & settled[:, None]
    settled &= ~(ranking.tied & looked_at).any(axis=1)
    fine &= looked_at
    shelves = np.where(fine, goods.shelf_of.take(ranking.kinds), 0)
    for number, question in enumerate(questions):
        if question.cap < question.places:
            settled &= (asked != number) | ~_over(question.cap, shelves)
    passed: dict[int, list[Suppressed]] = {}
    at, place = np.nonzero(looked_at & ~fine & settled[:, None])
    for basket, item, in_cart in zip(
        at.tolist(), ranking.items[at, place].tolist(), held[at, place].tolist(), strict=True
    ):
        code = IN_CART if in_cart else objection(item, chunk[basket], views)
        if code is None:
            settled[basket] = False
        else:
            passed.setdefault(basket, []).append(Suppressed(views.skus[item], code))
    fine &= settled[:, None]
    picks = Picks(
        fine.sum(axis=1)[settled].tolist(),
        ranking.items[fine],
        ranking.candidates[fine],
        ranking.scores[fine].tolist(),
        ranking.kinds[fine].tolist(),
    )
    return Settled(_told(chunk, np.flatnonzero(settled).tolist(), passed), picks)


def _are_plain(ranking: Ranking, questions: Sequence[_Question], asked: Integers, goods: Assortment) -> Flags:
    """Which candidates are simply for sale in the currency of their basket, and score enough."""
    currencies = np.array([question.currency for question in questions])[asked, None]
    floors = np.array([question.floor for question in questions])[asked, None]
    sales = goods.sale_of.take(ranking.kinds)
    plain = (sales == currencies) | (sales == UNLISTED)
    plain &= ranking.scores > floors
    plain &= np.arange(plain.shape[1]) < ranking.known[:, None]
    are: Flags = plain
    return are


def _questions(chunk: Sequence[Considered], goods: Assortment) -> tuple[list[_Question], Integers]:
    """The different questions of baskets, and which each of them asks."""
    numbers: dict[tuple[int, str, int | None], int] = {}
    questions, asked = [_WALKED], []
    for considered in chunk:
        basket = considered.basket
        if considered.shopper is not None or considered.upsells.chosen or has_wishes(basket):
            asked.append(0)
            continue
        policy = considered.policy
        number = numbers.get((id(policy), basket.currency, basket.max_offers))
        if number is None:
            number = numbers[id(policy), basket.currency, basket.max_offers] = len(questions)
            questions.append(_question(basket, policy, goods))
        asked.append(number)
    return questions, np.array(asked)


def _question(basket: Basket, policy: Policy, goods: Assortment) -> _Question:
    if policy.bars_any or policy.thresholds or policy.value_weight:
        return _WALKED
    places, (currency, _) = policy.wanted(basket.max_offers), goods.plain_in(basket.currency)
    return _Question(places, currency, policy.min_score, policy.most_alike(places))


def _of_their_ranges(at_line: Integers, lines: Integers, items: Integers, goods: Assortment) -> Flags:
    """Which candidates are of the range of a line: whether they may be added is for the orders to say."""
    flags = np.zeros(items.shape, np.bool_)
    of_lines = goods.range_of.take(lines)
    theirs = np.sort(((at_line << _RANGE_BITS) | of_lines)[of_lines > 0])
    if len(theirs):
        baskets = np.flatnonzero(np.bincount(theirs >> _RANGE_BITS, minlength=len(items)))
        wanted = (baskets[:, None] << _RANGE_BITS) | goods.range_of.take(items[baskets])
        flags[baskets] = theirs.take(theirs.searchsorted(wanted), mode="clip") == wanted
    return flags


def _over(cap: int, shelves: npt.NDArray[np.int32]) -> Flags:
    """Whether more than `cap` of the numbers in a row are the same, other than 0."""
    ordered = np.sort(shelves, axis=1)
    last, first = ordered[:, cap:], ordered[:, : ordered.shape[1] - cap]
    more: Flags = ((last == first) & (last > 0)).any(axis=1)
    return more


def _told(
    chunk: Sequence[Considered], settled: Sequence[int], passed: Mapping[int, list[Suppressed]]
) -> dict[int, list[Suppressed]]:
    """What is told of settled baskets: rungs that are no step, and candidates that were passed over."""
    told = {}
    for at in settled:
        considered, entries = chunk[at], passed.get(at, [])
        if steps := considered.upsells.refused:
            entries = [*steps[: considered.policy.max_suppressed // 2], *entries]
        told[at] = entries[: considered.policy.max_suppressed] if entries else entries
    return told
