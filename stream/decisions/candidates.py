"""Who speaks for whom in one basket: the lines as they will be, and the rows that hold their candidates."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct

from stream.decisions.codes import SUPERSEDED_BY_UPSELL
from stream.decisions.ladder import Ladder
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import MOST_WEIGHT, ORDERS, PINNED, NeighbourRow, told_row
from stream.decisions.policy import Pin, Policy
from stream.decisions.upsell import NO_UPSELLS, Upsells, choose_upsells, line_prices
from stream.decisions.views import Shopper, Views
from stream.suggestion import Suppressed

SUPERSEDED_KEPT = 3
"""Candidates of a replaced line that are reported as superseded."""


class Considered(Struct, frozen=True, gc=False):
    """A basket ready to be scored, as of `at_ms` and under the policy as its channel and tier see it.

    `prices` are its distinct SKUs with their prices, `cart` their dense indices, `ranged` the products among
    them that stand in a range, `shopper` what is known of whose basket it is. `rows` are those of the lines by
    SKU, with each offered rung in the place of the line it replaces: cross-sells are those of the basket that
    the upsell makes. A rung that is too new to speak for itself is lent the co-purchases of that line, though
    not the complements the catalogue names for it alone.
    """

    basket: Basket
    policy: Policy
    at_ms: int
    prices: dict[str, int]
    cart: list[int]
    ranged: list[Product]
    rows: list[NeighbourRow]
    upsells: Upsells
    shopper: Shopper | None = None


def consider(
    basket: Basket, views: Views, policy: Policy, now_ms: int, at_most: int | None = None
) -> Considered:
    """Choose the upsells of a basket, `at_most` so many, and gather the rows of the lines that result."""
    at_ms = now_ms if basket.at_ms is None else basket.at_ms
    prices, known = line_prices(basket), views.lines
    cart: list[int] = []
    ranged: list[Product] = []
    rows: list[NeighbourRow] = []
    # By SKU, so that of two lines that speak equally loud the same one is named whatever their order.
    for sku in sorted(prices):
        if (line := known.get(sku)) is not None:
            cart.append(line.item)
            rows += line.rows
            if line.ranged is not None:
                ranged.append(line.ranged)
    shopper = views.shoppers.get(basket.customer) if basket.customer is not None else None
    upsells = NO_UPSELLS
    if ranged:
        upsells = choose_upsells(basket, prices, ranged, views, policy, at_ms, at_most, shopper)
        if upsells.chosen:
            rows = _rows(prices, {up.held.sku: up.offered.sku for up in upsells.chosen}, views, policy)
    if policy.pins:
        rows += pinned_rows(policy.pins, prices, views.pins)
    if shopper is not None and shopper.own is not None:
        rows.append(shopper.own)
    if views.popular and (popular := views.popular.get((basket.channel, basket.tier))) is not None:
        rows.append(popular)
    return Considered(basket, policy, at_ms, prices, cart, ranged, rows, upsells, shopper)


def fewer_upsells(considered: Considered, views: Views) -> Considered:
    """The same basket with one upsell less: another offer is worth more in its place."""
    most = len(considered.upsells.chosen) - 1
    return consider(considered.basket, views, considered.policy, considered.at_ms, most)


def _rows(
    prices: Mapping[str, int], instead: Mapping[str, str], views: Views, policy: Policy
) -> list[NeighbourRow]:
    """Rows by SKU of the lines that are left when the upsells are taken, and of those they borrow from."""
    lines, known = {instead.get(sku, sku) for sku in prices}, views.lines
    lent = {sku for sku, offered in instead.items() if not _is_known(offered, views, policy)} - lines
    return [
        row
        for sku in sorted(lines | lent)
        if sku in known
        for row in known[sku].rows
        if sku not in lent or row.source == ORDERS
    ]


def pinned_rows(
    pins: Sequence[Pin], prices: Container[str], numbers: Mapping[str, int]
) -> list[NeighbourRow]:
    """A row for each pin that a basket of these SKUs is to see, each weighing less than the one before."""
    return [
        told_row(PINNED, numbers[pin.sku], {numbers[pin.sku]: float(MOST_WEIGHT - place)})
        for place, pin in enumerate(pins)
        if pin.sku in numbers and (not pin.beside or any(sku in prices for sku in pin.beside))
    ]


def rungs_above(lines: Iterable[Product], ladders: Mapping[str, Ladder]) -> list[str]:
    """SKUs of the rungs that lines may be replaced by, sorted: they have to be in the views, too."""
    above = {
        rung.sku
        for held in lines
        if (ladder := ladders.get(held.range_id or "")) is not None
        for rung in ladder.above(held)
    }
    return sorted(above)


def _is_known(sku: str, views: Views, policy: Policy) -> bool:
    """Whether a rung was ordered often enough, with anything at all, to tell its co-purchases from its range's."""
    line = views.lines.get(sku)
    return line is not None and any(
        row.orders >= policy.known_orders and max(row.whole_weights(), default=0) > 0
        for row in line.rows
        if row.source == ORDERS
    )


def superseded(considered: Considered, views: Views) -> list[Suppressed]:
    """The best candidates of replaced lines that nothing in the resulting basket speaks for."""
    chosen, lines, skus = considered.upsells.chosen, views.lines, views.skus
    spoken_for = {*considered.cart, *(lines[up.offered.sku].item for up in chosen if up.offered.sku in lines)}
    for row in considered.rows:
        spoken_for.update(row.candidates())
    lost: dict[int, int] = {}
    for up in chosen:
        for row in lines[up.held.sku].rows:
            if row.source < ORDERS:
                continue
            for item, weight in zip(row.candidates(), row.whole_weights(), strict=True):
                if item not in spoken_for:
                    lost[item] = lost.get(item, 0) + weight
    best = sorted((-weight, skus[item]) for item, weight in lost.items())
    return [Suppressed(sku, SUPERSEDED_BY_UPSELL) for _, sku in best[:SUPERSEDED_KEPT]]
