"""Why an offer was made: a code, the numbers behind it, and a sentence for people."""

from __future__ import annotations

from collections.abc import Sequence

from stream.decisions.evidence import Evidence
from stream.decisions.ladder import features_gained, features_lost
from stream.decisions.neighbours import PINNED, NeighbourRow
from stream.decisions.upsell import Upsell
from stream.decisions.views import Views
from stream.events import Reason

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


def why_cross_sells(found: Evidence, rows: Sequence[NeighbourRow], views: Views) -> list[Reason]:
    """A reason for each pick that evidence was found for.

    A product the shop pinned is PINNED and a complement that is named a COMPLEMENT, with the co-purchase numbers
    beside it where there are any; everything else is a CO_PURCHASE of the strongest line.
    """
    return [
        _co_purchase(rows[speaker], together, views)
        if speaker == learned
        else _told(rows[speaker], weight, None if learned < 0 else rows[learned], together, views)
        for speaker, weight, learned, together in zip(*found, strict=True)
    ]


def _co_purchase(row: NeighbourRow, together: int, views: Views) -> Reason:
    sku, orders, days = views.skus[row.item], row.orders, views.window_days
    product = views.assortment.products[row.item]
    title = sku if product is None or product.title is None else product.title
    return Reason(
        "CO_PURCHASE",
        {"sku": sku, "together": together, "orders": orders, "window_days": days},
        f"{together} of {orders} orders with {title} in {days} days also had this",
    )


def _told(
    row: NeighbourRow, weight: float, learned: NeighbourRow | None, together: int, views: Views
) -> Reason:
    """The reason that the catalogue or the shop gives, and what the orders say beside it."""
    evidence: dict[str, int | float | str] = {}
    if row.source == PINNED:
        text = "Chosen by the shop"
    else:
        sku, product = views.skus[row.item], views.assortment.products[row.item]
        evidence = {"sku": sku, "weight": weight}
        text = f"Goes with {sku if product is None or product.title is None else product.title}"
    if learned is not None:
        counted = _co_purchase(learned, together, views)
        evidence |= {f"co_purchase_{name}": value for name, value in counted.evidence.items()}
        text = f"{text}; {counted.text}"
    return Reason("PINNED" if row.source == PINNED else "COMPLEMENT", evidence, text)


def why_threshold(reason: Reason, missing: int, threshold: int, currency: str) -> Reason:
    """The reason of an offer that lifts the basket over a threshold, before the one it is offered for."""
    evidence: dict[str, int | float | str] = {"threshold": threshold, "missing": missing}
    text = f"{amount(missing, currency)} short of {amount(threshold, currency)}; {reason.text}"
    return Reason("THRESHOLD", evidence | reason.evidence, text)


def why_upsell(upsell: Upsell, currency: str) -> Reason:
    """The step of an upsell: what it costs and what it brings."""
    gained = features_gained(upsell.held, upsell.offered)
    lost = features_lost(upsell.held, upsell.offered)
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
    return Reason("NEXT_RUNG", evidence, text)
