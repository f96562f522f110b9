"""Bundles: a main item and the complements that are named for it, offered as one group.

A bundle adds no offer: it says which of those that were picked belong together, and what they cost with their main
item. Only complements count that the catalogue or the shop names, of different categories, with known prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from stream.decisions.candidates import Considered
from stream.decisions.model import Product
from stream.identity import offer_id
from stream.suggestion import Bundle, Offer

FEWEST: Final = 2
"""Complements that make a bundle."""


def bundle_up(considered: Considered, offers: list[Offer], products: Sequence[Product | None]) -> None:
    """Mark those of the offers, which are of these products, that make up bundles.

    The main item is a line, or the rung offered in its place.
    """
    parts: dict[str, dict[tuple[str, ...], int]] = {}
    for place, (offer, product) in enumerate(zip(offers, products, strict=True)):
        reason = offer.reason
        if reason.code == "COMPLEMENT" and product is not None and product.price is not None:
            shelves = parts.setdefault(str(reason.evidence["sku"]), {})
            shelves.setdefault(product.category or (product.sku,), place)
    for main, shelves in parts.items():
        price = _main_price(main, considered)
        if len(shelves) < FEWEST or not price:
            continue
        total = price + sum(offers[place].price or 0 for place in shelves.values())
        bundle = Bundle(offer_id(considered.basket.suggestion_id, "bundle", main), main, total)
        for place in shelves.values():
            offers[place] = msgspec.structs.replace(offers[place], bundle=bundle)


def _main_price(main: str, considered: Considered) -> int:
    """What the main item costs: the line's own price, or the rung's; 0 where it is unknown."""
    rungs = {up.offered.sku: up.offered.price or 0 for up in considered.upsells.chosen}
    return rungs[main] if main in rungs else considered.prices.get(main, 0)
