"""Who speaks for whom in one basket: the lines as they will be, and the rows that hold their candidates."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, repeat

import numpy as np
from msgspec import Struct

from stream.decisions.columns import NONE
from stream.decisions.ladders import Ladders
from stream.decisions.lines import Lines, LineView
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import MOST_WEIGHT, PINNED, NeighbourRow, told_row
from stream.decisions.policy import Pin, Policy
from stream.decisions.stepless import KnownLines, stepless
from stream.decisions.upsell import NO_UPSELLS, Upsells, choose_upsells, line_prices
from stream.decisions.views import Shopper, Views


class Considered(Struct, frozen=True, gc=False):
    """A basket ready to be scored, as of `at_ms` and under the policy as its channel and tier see it.

    `prices` are its distinct SKUs with their prices, `cart` their dense indices, `ranged` whether any of
    them stands in a range, `shopper` what is known of whose basket it is. `refs` name the rows of the lines by
    SKU, with each offered rung in the place of the line it replaces: cross-sells are those of the basket that
    the upsell makes. A rung that is too new to speak for itself is lent the co-purchases of that line, though
    not the complements the catalogue names for it alone. A ref is the dense index of the line whose learned row it
    is; those below 0 are of the rows of `others`, counted from the end: ~0, ~1, and so on.
    """

    basket: Basket
    policy: Policy
    at_ms: int
    prices: dict[str, int]
    cart: list[int]
    ranged: bool
    refs: list[int]
    others: Sequence[NeighbourRow]
    upsells: Upsells
    shopper: Shopper | None = None

    def rows(self, lines: Lines) -> Iterator[NeighbourRow]:
        """The rows that speak, in their order."""
        for ref in self.refs:
            row = self.others[~ref] if ref < 0 else lines.at(ref).learned
            if row is not None:
                yield row


def consider_all(
    baskets: Sequence[Basket], views: Views, seen: Mapping[tuple[str, str], Policy], now_ms: int
) -> list[Considered]:
    """Choose the upsells of baskets and gather the rows of the lines that result.

    `seen` is the policy by channel and tier. The lines of all baskets are looked up at once.
    """
    prices = [line_prices(basket) for basket in baskets]
    skus = [sku for of_basket in prices for sku in sorted(of_basket)]
    lengths = list(map(len, prices))
    ends = list(accumulate(lengths, initial=0))
    found = np.fromiter(map(views.items.get, skus, repeat(NONE)), np.int64, len(skus))
    more = views.lines.more_of.take(found) * (found != NONE)
    told = np.concatenate(([0], np.cumsum(more > 0)))[ends].tolist()
    items, others, complete = found.tolist(), found[more > 0].tolist(), NONE not in found
    at_line = np.repeat(np.arange(len(baskets)), lengths)
    without_step = stepless(baskets, prices, KnownLines(at_line, skus, found, more), views, seen)
    nobody_else = not views.popular and not any(policy.pins for policy in seen.values())
    considered = []
    for at, basket in enumerate(baskets):
        cart = items[ends[at] : ends[at + 1]]
        if not complete:
            cart = [item for item in cart if item != NONE]
        policy, upsells = seen[basket.channel, basket.tier], without_step.get(at)
        begin, end = told[at], told[at + 1]
        known = basket.customer is not None and basket.customer in views.shoppers
        if nobody_else and not known and (upsells is not None or begin == end):
            at_ms = now_ms if basket.at_ms is None else basket.at_ms
            ranged, chosen = upsells is not None, upsells or NO_UPSELLS
            considered.append(Considered(basket, policy, at_ms, prices[at], cart, ranged, cart, (), chosen))
        else:
            more_of = others[begin:end]
            considered.append(_consider(basket, prices[at], cart, more_of, views, policy, now_ms, upsells))
    return considered


def consider(
    basket: Basket, views: Views, policy: Policy, now_ms: int, at_most: int | None = None
) -> Considered:
    """The same for one basket, under the policy as it sees it, with `at_most` so many upsells."""
    prices = line_prices(basket)
    cart = [item for sku in sorted(prices) if (item := views.items.get(sku)) is not None]
    more = [item for item in cart if views.lines.more_of[item]]
    return _consider(basket, prices, cart, more, views, policy, now_ms, at_most=at_most)


def _consider(
    basket: Basket,
    prices: dict[str, int],
    cart: list[int],
    more: Sequence[int],
    views: Views,
    policy: Policy,
    now_ms: int,
    without_step: Upsells | None = None,
    at_most: int | None = None,
) -> Considered:
    """`cart` are the known lines by SKU: of two that speak equally loud the same one is named whatever their order in
    the basket. `more` are those that have more to say than what they were bought with; where it is known that these
    only stand in ranges and have no step, `without_step` says so."""
    at_ms = now_ms if basket.at_ms is None else basket.at_ms
    shopper = views.shoppers.get(basket.customer) if basket.customer is not None else None
    popular = views.popular.get((basket.channel, basket.tier)) if views.popular else None
    lines, refs, upsells, ranged = views.lines, cart, without_step or NO_UPSELLS, without_step is not None
    others: list[NeighbourRow] = []
    if more and without_step is None:
        known = [lines.at(item) for item in more]
        in_ranges = [line.ranged for line in known if line.ranged is not None]
        ranged = bool(in_ranges)
        if ranged:
            upsells = choose_upsells(basket, prices, in_ranges, views, policy, at_ms, at_most, shopper)
        if upsells.chosen:
            refs = _refs(_instead(cart, upsells, views, policy), lines, others)
        elif any(line.others for line in known):
            refs = _refs(cart, lines, others)
    if policy.pins:
        others += pinned_rows(policy.pins, prices, views.pins)
    if shopper is not None and shopper.own is not None:
        others.append(shopper.own)
    if popular is not None:
        others.append(popular)
    if others:
        named = sum(ref < 0 for ref in refs)
        refs = [*refs, *(~place for place in range(named, len(others)))]
    return Considered(basket, policy, at_ms, prices, cart, ranged, refs, tuple(others), upsells, shopper)


def fewer_upsells(considered: Considered, views: Views) -> Considered:
    """The same basket with one upsell less: another offer is worth more in its place."""
    most = len(considered.upsells.chosen) - 1
    return consider(considered.basket, views, considered.policy, considered.at_ms, most)


def _refs(items: Sequence[int], lines: Lines, others: list[NeighbourRow]) -> list[int]:
    """Rows of lines; those of others that speak for some of them are added to `others`. Of a line that is only lent,
    ~item, no others speak."""
    refs = []
    for item in items:
        if item < 0:
            refs.append(~item)
            continue
        refs.append(item)
        for row in lines.at(item).others:
            refs.append(~len(others))
            others.append(row)
    return refs


def _instead(cart: Sequence[int], upsells: Upsells, views: Views, policy: Policy) -> list[int]:
    """By SKU the lines that are left when the upsells are taken, and ~item of those that lend theirs to a rung."""
    lines, skus = views.lines, views.skus
    left = {skus[item]: item for item in cart}
    for up in upsells.chosen:
        del left[up.held.sku]
    for up in upsells.chosen:
        offered = lines.get(up.offered.sku)
        if offered is not None:
            left[up.offered.sku] = offered.item
        if offered is None or not _is_known(offered, policy):
            held = lines[up.held.sku].item
            left.setdefault(up.held.sku, ~held)
    return [left[sku] for sku in sorted(left)]


def pinned_rows(
    pins: Sequence[Pin], prices: Container[str], numbers: Mapping[str, int]
) -> list[NeighbourRow]:
    """A row for each pin that a basket of these SKUs is to see, each weighing less than the one before."""
    return [
        told_row(PINNED, numbers[pin.sku], {numbers[pin.sku]: float(MOST_WEIGHT - place)})
        for place, pin in enumerate(pins)
        if pin.sku in numbers and (not pin.beside or any(sku in prices for sku in pin.beside))
    ]


def rungs_above(lines: Iterable[Product], ladders: Ladders) -> list[str]:
    """SKUs of the rungs that lines may be replaced by, sorted: they have to be in the views, too."""
    above = {
        rung.sku
        for held in lines
        if (ladder := ladders.get(held.range_id or "")) is not None
        for rung in ladder.above(held)
    }
    return sorted(above)


def _is_known(line: LineView, policy: Policy) -> bool:
    """Whether a rung was ordered often enough, with anything at all, to tell its co-purchases from its range's."""
    return line.speaks and line.learned is not None and line.learned.orders >= policy.known_orders
