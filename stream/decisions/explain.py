"""Why an offer was made: a code, the numbers behind it, and a sentence for people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stream.decisions.bought_later import LAG_DAYS
from stream.decisions.evidence import SILENT, Evidence
from stream.decisions.ladder import Step
from stream.decisions.neighbours import (
    CATALOGUE,
    CATEGORY,
    FRACTION,
    LATER,
    OWN,
    PINNED,
    POPULAR,
    NeighbourRow,
)
from stream.decisions.rhythm import Rhythm
from stream.decisions.scoring import Integers, Scored
from stream.decisions.upsell import Upsell
from stream.decisions.views import Views
from stream.decisions.window import DAY_MS
from stream.suggestion import Reason

NAMES_SHOWN = 10
"""Gained features named in the evidence; the number counts all."""

# ISO 4217: currencies whose minor unit is not a hundredth.
_DECIMALS = (
    dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
        ),
        0,
    )
    | dict.fromkeys(("XOF", "XPF"), 0)
)


def amount(minor: int, currency: str) -> str:
    """Money for people.

    >>> amount(30000, "EUR"), amount(1500, "JPY"), amount(-5, "EUR"), amount(1250, "KWD")
    ('300.00 EUR', '1500 JPY', '-0.05 EUR', '1.250 KWD')
    """
    decimals = _DECIMALS.get(currency, 2)
    if not decimals:
        return f"{minor} {currency}"
    whole, part = divmod(abs(minor), 10**decimals)
    return f"{'-' if minor < 0 else ''}{whole}.{part:0{decimals}d} {currency}"


def why_cross_sells(found: Evidence, scored: Scored, views: Views) -> list[Reason]:
    """A reason for each pick that evidence was found for.

    A product the shop pinned is PINNED, a complement that is named a COMPLEMENT and what the customer bought before
    BOUGHT_BEFORE, with the co-purchase numbers beside it where there are any. Else it is a CO_PURCHASE of the strongest
    line; where no line speaks for it it is BOUGHT_LATER, a CATEGORY_PAIR or, claiming nothing but that, POPULAR.
    """
    days = views.window_days
    bought = [
        Reason(
            "CO_PURCHASE",
            {"sku": sku, "together": together, "orders": orders, "window_days": days},
            f"{together}{of_orders}",
        )
        for (sku, orders, of_orders), together in zip(
            _lines(found.learned, scored, views), found.together.tolist(), strict=True
        )
    ]
    if not scored.others:
        return bought
    return [
        reason
        if speaker == learned
        else _other(
            scored.row(speaker),
            weight / FRACTION,
            counted,
            None if learned == SILENT else reason,
            views,
        )
        for speaker, weight, counted, learned, reason in zip(
            *(column.tolist() for column in found[:4]), bought, strict=True
        )
    ]


_NOBODY = ("", 0, "")


def _lines(rows: Integers, scored: Scored, views: Views) -> list[tuple[str, int, str]]:
    """SKU and orders of the line that each of these rows is of, and what is said of these orders; `_NOBODY` for
    `SILENT`.

    Each line is put into words once, though it may speak for several offers.
    """
    speaks = np.zeros(len(scored.refs) + 1, np.bool_)  # SILENT is the last place
    speaks[rows] = True
    items = scored.refs[speaks[:-1]]
    said = f" in {views.window_days} days also had this"
    _, skus, titles = views.assortment.labels.read(items)
    lines = [
        (sku, orders, f" of {orders} orders with {sku if title is None else title}{said}")
        for sku, title, orders in zip(skus, titles, views.lines.orders_of.take(items).tolist(), strict=True)
    ]
    lines.append(_NOBODY)
    places = np.cumsum(speaks) - 1
    places[-1] = len(lines) - 1
    return list(map(lines.__getitem__, places[rows].tolist()))


def _other(row: NeighbourRow, weight: float, counted: int, beside: Reason | None, views: Views) -> Reason:
    """The reason that something else than co-purchases gives, and what those say beside it."""
    reason = _REASONS[row.source](row, weight, counted, views)
    if beside is None:
        return reason
    numbers = {f"co_purchase_{name}": value for name, value in beside.evidence.items()}
    return Reason(reason.code, reason.evidence | numbers, f"{reason.text}; {beside.text}")


def _pinned(_row: NeighbourRow, _weight: float, _counted: int, _views: Views) -> Reason:
    return Reason("PINNED", {}, "Chosen by the shop")


def _complement(row: NeighbourRow, weight: float, _counted: int, views: Views) -> Reason:
    sku, name = views.skus[row.item], views.assortment.name(row.item)
    return Reason("COMPLEMENT", {"sku": sku, "weight": weight}, f"Goes with {name}")


def _bought_before(_row: NeighbourRow, _weight: float, counted: int, _views: Views) -> Reason:
    times = "once" if counted == 1 else f"{counted} times"
    return Reason("BOUGHT_BEFORE", {"times": counted}, f"Bought {times} by this customer")


def _category_pair(row: NeighbourRow, _weight: float, counted: int, views: Views) -> Reason:
    product = views.assortment.products[row.item]
    own = product.category[-1] if product is not None and product.category else ""
    evidence: dict[str, int | float | str] = {
        "sku": views.skus[row.item],
        "category": own,
        "goes_with": row.about,
        "together": counted,
        "orders": row.orders,
        "window_days": views.window_days,
    }
    of = f"{counted} of {row.orders} orders with something of {own}"
    return Reason(
        "CATEGORY_PAIR", evidence, f"{of} in {views.window_days} days also had something of {row.about}"
    )


def _bought_later(row: NeighbourRow, _weight: float, counted: int, views: Views) -> Reason:
    name = views.assortment.name(row.item)
    evidence: dict[str, int | float | str] = {
        "sku": views.skus[row.item],
        "customers": counted,
        "of_customers": row.orders,
        "within_days": LAG_DAYS,
    }
    text = f"{counted} of {row.orders} customers with {name} came back for this within {LAG_DAYS} days"
    return Reason("BOUGHT_LATER", evidence, text)


def _popular(row: NeighbourRow, _weight: float, counted: int, views: Views) -> Reason:
    evidence: dict[str, int | float | str] = {
        "segment": row.about,
        "orders": counted,
        "of_orders": row.orders,
        "window_days": views.window_days,
    }
    return Reason(
        "POPULAR",
        evidence,
        f"{counted} of {row.orders} orders in {views.window_days} days had this ({row.about})",
    )


_REASONS: dict[int, Callable[[NeighbourRow, float, int, Views], Reason]] = {
    POPULAR: _popular,
    CATEGORY: _category_pair,
    LATER: _bought_later,
    OWN: _bought_before,
    CATALOGUE: _complement,
    PINNED: _pinned,
}


def why_again(rhythm: Rhythm, at_ms: int) -> Reason:
    """What the customer's own rhythm says of a product that is due."""
    every, ago = round(rhythm.every_ms / DAY_MS, 1), round((at_ms - rhythm.last_ms) / DAY_MS, 1)
    evidence: dict[str, int | float | str] = {
        "times": rhythm.times,
        "every_days": every,
        "last_days_ago": ago,
    }
    return Reason(
        "BUY_AGAIN", evidence, f"Bought {rhythm.times} times, every {every:g} d, last {ago:g} d ago"
    )


def why_threshold(reason: Reason, missing: int, threshold: int, currency: str) -> Reason:
    """The reason of an offer that lifts the basket over a threshold, before the one it is offered for."""
    evidence: dict[str, int | float | str] = {"threshold": threshold, "missing": missing}
    text = f"{amount(missing, currency)} short of {amount(threshold, currency)}; {reason.text}"
    return Reason("THRESHOLD", evidence | reason.evidence, text)


def why_upsell(upsell: Upsell, step: Step, currency: str) -> Reason:
    """The step of an upsell: what it costs and what it brings."""
    gained, lost = step.gained, step.lost
    evidence: dict[str, int | float | str] = {
        "sku": upsell.held.sku,
        "price_step": upsell.price_step,
        "features_gained": len(gained),
    }
    text = f"+{amount(upsell.price_step, currency)}" if upsell.price_step else "Same price"
    if gained:
        evidence["gained"] = ", ".join(gained[:NAMES_SHOWN])
        text += f", +{len(gained)} feature{'s' if len(gained) > 1 else ''}"
    if lost:
        evidence["features_lost"] = len(lost)
        text += f", -{len(lost)} feature{'s' if len(lost) > 1 else ''}"
    if upsell.estimate is not None:
        taken, shown = upsell.estimate.place
        evidence |= {"accept_chance": round(upsell.estimate.chance, 4), "accepted": taken, "shown": shown}
    return Reason("NEXT_RUNG", evidence, text)
