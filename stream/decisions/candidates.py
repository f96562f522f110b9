"""Who speaks for whom in one basket: the lines as they will be, and the rows that hold their candidates."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from msgspec import Struct

from stream.decisions.codes import SUPERSEDED_BY_UPSELL
from stream.decisions.model import Basket, Product
from stream.decisions.neighbours import NeighbourRow
from stream.decisions.policy import Policy
from stream.decisions.upsell import NO_UPSELLS, Upsells, choose_upsells, line_prices
from stream.decisions.views import Views
from stream.events import Suppressed

NO_RANGES: frozenset[str | None] = frozenset()

SUPERSEDED_KEPT = 3
"""Candidates of a replaced line that are reported as superseded."""


class Considered(Struct, frozen=True, gc=False):
    """A basket ready to be scored, as of `at_ms`.

    `prices` are its distinct SKUs with their prices, `cart` their dense indices by SKU, `ranges` the ranges
    they stand in. `rows` are those of the lines by SKU, with each offered rung in the place of the line it
    replaces: cross-sells are those of the basket that the upsell makes. A rung that is too new to speak for
    itself is lent the co-purchases of that line, though not the complements the catalogue names for it alone.
    """

    basket: Basket
    at_ms: int
    prices: dict[str, int]
    cart: list[int]
    ranges: frozenset[str | None]
    rows: list[NeighbourRow]
    upsells: Upsells


def consider(basket: Basket, views: Views, policy: Policy, now_ms: int) -> Considered:
    """Choose the upsells of a basket and gather the rows of the lines that result."""
    at_ms = now_ms if basket.at_ms is None else basket.at_ms
    prices, index = line_prices(basket), views.index
    cart = _numbers(prices, index)
    ranged = _ranged(cart, views)
    if not ranged:
        return Considered(basket, at_ms, prices, cart, NO_RANGES, gather(cart, views), NO_UPSELLS)
    upsells = choose_upsells(basket, prices, ranged, views.ladders, policy, at_ms)
    instead = {up.held.sku: up.offered.sku for up in upsells.chosen}
    lines = {instead.get(sku, sku) for sku in prices}
    lent = {sku for sku, offered in instead.items() if not _is_known(offered, views, policy)} - lines
    rows = gather(_numbers(lines | lent, index), views, unnamed=frozenset(_numbers(lent, index)))
    ranges = frozenset(product.range_id for product in ranged)
    return Considered(basket, at_ms, prices, cart, ranges, rows, upsells)


def rungs_to_offer(baskets: Iterable[Basket], views: Views, policy: Policy, now_ms: int) -> set[str]:
    """SKUs of the rungs that these baskets will be offered: their rows have to be in the views, too.

    Only products and ladders are needed for the answer, so this can be asked before any row is read.
    """
    rungs: set[str] = set()
    for basket in baskets if views.ladders else ():
        prices = line_prices(basket)
        ranged = _ranged(_numbers(prices, views.index), views)
        if ranged:
            at_ms = now_ms if basket.at_ms is None else basket.at_ms
            upsells = choose_upsells(basket, prices, ranged, views.ladders, policy, at_ms)
            rungs.update([up.offered.sku for up in upsells.chosen])
    return rungs


def _numbers(skus: Iterable[str], index: Mapping[str, int]) -> list[int]:
    """Dense indices by SKU; a SKU without one was never counted and is in no catalogue."""
    return [index[sku] for sku in sorted(skus) if sku in index]


def _ranged(cart: Iterable[int], views: Views) -> list[Product]:
    """The products of a cart that stand in a range."""
    products = views.products
    return [p for item in cart if (p := products[item]) is not None and p.range_id is not None]


def _is_known(sku: str, views: Views, policy: Policy) -> bool:
    """Whether a rung was ordered often enough for its own co-purchases to be told apart from its range's."""
    row = views.learned.get(views.index.get(sku, -1))
    return row is not None and row.orders >= policy.known_orders


def gather(items: Iterable[int], views: Views, unnamed: Container[int] = ()) -> list[NeighbourRow]:
    """Learned and named rows of these SKUs in their order, which has to be that of the SKUs: float sums then
    do not depend on the order of a basket's lines. Those that are `unnamed` have their learned row only."""
    learned, named = views.learned, views.named
    if not named:
        return [learned[item] for item in items if item in learned]
    return [
        rows[item]
        for item in items
        for rows in (learned, named)
        if item in rows and not (rows is named and item in unnamed)
    ]


def superseded(considered: Considered, views: Views) -> list[Suppressed]:
    """The best candidates of replaced lines that nothing in the resulting basket speaks for."""
    index, chosen = views.index, considered.upsells.chosen
    gone = {*considered.cart, *(index.get(up.offered.sku, -1) for up in chosen)}
    for row in considered.rows:
        gone.update(row.candidates())
    lost: dict[int, float] = {}
    for row in gather([index[up.held.sku] for up in chosen], views):
        for item, weight in row.weights().items():
            lost[item] = lost.get(item, 0.0) + weight
    best = sorted((-weight, views.skus[item]) for item, weight in lost.items() if item not in gone)
    return [Suppressed(sku, SUPERSEDED_BY_UPSELL) for _, sku in best[:SUPERSEDED_KEPT]]
