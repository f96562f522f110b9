"""Adds up orders into figures, with and without what was offered (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from stream.events import OrderLine, OrderPlaced
from stream.suggestion import Offer

Timing = Literal["in_basket", "post_purchase"]
Costs = Mapping[tuple[str, str], int]
"""Cost of a piece by SKU and currency."""


class Sold(NamedTuple):
    """An offer that a line may name, and when it was made."""

    offer: Offer
    timing: Timing


class Totals(NamedTuple):
    """Sums over lines; `margin` is that of the `costed` pieces, whose cost is known."""

    orders: int = 0
    units: int = 0
    revenue: int = 0
    costed: int = 0
    margin: int = 0

    def plus(self, other: Totals, sign: int = 1) -> Totals:
        """The sums of both; with `sign` -1 their difference."""
        return Totals(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


class Figures(Struct, frozen=True):
    """The figures of the package's table; None where there is nothing to divide by."""

    average_basket_value: float | None
    units_an_order: float | None
    value_a_unit: float | None
    margin_a_unit: float | None


class Added(Struct, frozen=True):
    """What one kind of offer sold, and what each figure would lack without it."""

    lines: int
    units: int
    revenue: int
    margin: int
    figures: Figures


class Account(Struct, frozen=True):
    """Everything of one currency and one channel; `unknown_lines` name a suggestion the log does not hold."""

    currency: str
    channel: str
    orders: int
    units: int
    revenue: int
    figures: Figures
    added: dict[str, Added]
    revenue_after_purchase: int
    margin_after_purchase: int
    unknown_lines: int


class Page:
    """One currency and channel while it is added up."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.after_purchase = Totals()
        self.taken_back: dict[str, Totals] = {}
        self.lines: dict[str, int] = {}
        self.unknown = 0


class Ledger:
    """Add orders, each order id once; then ask for the accounts.

    `sold` has the offers of the suggestions that lines name, by (suggestion id, SKU).
    """

    def __init__(self, sold: Mapping[tuple[str, str], Sold], costs: Costs) -> None:
        self._sold, self._costs = sold, costs
        self._pages: dict[tuple[str, str], Page] = {}
        self._seen: set[str] = set()

    def add(self, order: OrderPlaced) -> None:
        """Enter an order; one that was entered already changes nothing."""
        if order.order_id in self._seen:
            return
        self._seen.add(order.order_id)
        page = self._pages.setdefault((order.currency, order.channel), Page())
        in_basket = False
        for line in order.lines:
            sold = self._sold.get((line.suggestion_id, line.sku)) if line.suggestion_id is not None else None
            page.unknown += line.suggestion_id is not None and sold is None
            entry = self._entry(line.sku, line.quantity, line.unit_price, order.currency)
            if sold is not None and sold.timing == "post_purchase":
                page.after_purchase = page.after_purchase.plus(entry)
                continue
            in_basket = True
            page.totals = page.totals.plus(entry)
            if sold is not None:
                kind = sold.offer.kind
                more = self._more(entry, sold.offer, line, order.currency)
                page.taken_back[kind] = page.taken_back.get(kind, Totals()).plus(more)
                page.lines[kind] = page.lines.get(kind, 0) + 1
        page.totals = page.totals.plus(Totals(orders=int(in_basket)))

    def _entry(self, sku: str, quantity: int, price: int, currency: str) -> Totals:
        cost = self._costs.get((sku, currency))
        if cost is None:
            return Totals(units=quantity, revenue=quantity * price)
        return Totals(0, quantity, quantity * price, quantity, quantity * (price - cost))

    def _more(self, entry: Totals, offer: Offer, line: OrderLine, currency: str) -> Totals:
        """What a line that an offer sold has over what would stand in its place: nothing, or the line it replaced."""
        if offer.replaces_sku is None:
            return entry
        offered = line.unit_price if offer.price is None else offer.price
        price = max(0, offered - (offer.price_step or 0))
        before = self._entry(offer.replaces_sku, line.quantity, price, currency)
        more = entry.plus(before, -1)
        # With one cost of the two unknown the margin of the step is unknown.
        return more if entry.costed == before.costed else more._replace(costed=0, margin=0)

    def accounts(self) -> list[Account]:
        """One account a currency and channel, sorted."""
        return [_account(*key, page) for key, page in sorted(self._pages.items())]


def _account(currency: str, channel: str, page: Page) -> Account:
    totals, after = page.totals, page.after_purchase
    return Account(
        currency=currency,
        channel=channel,
        orders=totals.orders,
        units=totals.units,
        revenue=totals.revenue + after.revenue,
        figures=figures(totals),
        added={
            kind: _added(totals, more, page.lines[kind]) for kind, more in sorted(page.taken_back.items())
        },
        revenue_after_purchase=after.revenue,
        margin_after_purchase=after.margin,
        unknown_lines=page.unknown,
    )


def _added(totals: Totals, more: Totals, lines: int) -> Added:
    having, lacking = figures(totals), figures(totals.plus(more, -1))
    gain = {
        name: None
        if (a := getattr(having, name)) is None or (b := getattr(lacking, name)) is None
        else round(a - b, 4)
        for name in Figures.__struct_fields__
    }
    return Added(lines, more.units, more.revenue, more.margin, Figures(**gain))


def figures(totals: Totals) -> Figures:
    """The figures of some sums, to four decimals.

    >>> figures(Totals(orders=2, units=3, revenue=600)).average_basket_value
    300.0
    """
    return Figures(
        average_basket_value=_ratio(totals.revenue, totals.orders),
        units_an_order=_ratio(totals.units, totals.orders),
        value_a_unit=_ratio(totals.revenue, totals.units),
        margin_a_unit=_ratio(totals.margin, totals.costed),
    )


def _ratio(of: int, by: int) -> float | None:
    return round(of / by, 4) if by else None
