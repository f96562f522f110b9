"""Whether a product may be offered for a basket at all, and the code if it may not."""

from __future__ import annotations

from stream.decisions.codes import (
    BANNED,
    DELISTED,
    DISMISSED,
    EXCLUDED,
    NOT_YET_AVAILABLE,
    OTHER_CURRENCY,
    OUT_OF_STOCK,
    OVER_LIMIT,
)
from stream.decisions.model import Basket, Product
from stream.decisions.policy import Policy
from stream.decisions.window import DAY_MS


def refusal(sku: str, product: Product | None, basket: Basket, policy: Policy, now_ms: int) -> str | None:
    """The first code that speaks against offering this product now, None if it may be offered.

    A SKU the catalogue does not know is judged by bans, the exclude list, what was dismissed and the price limit alone.
    """
    if policy.bars(sku, () if product is None else product.category):
        return BANNED
    if sku in basket.exclude_skus:
        return EXCLUDED
    if sku in basket.dismissed and now_ms < basket.dismissed[sku] + policy.dismissed_days * DAY_MS:
        return DISMISSED
    if product is None:
        return None if basket.max_price is None else OVER_LIMIT
    if basket.excluded_categories and not basket.excluded_categories.isdisjoint(product.category):
        return EXCLUDED
    return (None if product.plain else unsellable(product, now_ms)) or unaffordable(product, basket)


def has_wishes(basket: Basket) -> bool:
    """Whether a basket wants something not offered that is for sale: then each product has to be asked."""
    return bool(
        basket.max_price is not None or basket.exclude_skus or basket.excluded_categories or basket.dismissed
    )


def unsellable(product: Product, now_ms: int) -> str | None:
    """The code of a product that nobody can buy now. `available_until_ms` is the first moment without it."""
    if product.delisted or not product.active:
        return DELISTED
    if product.available_until_ms is not None and now_ms >= product.available_until_ms:
        return DELISTED
    if product.available_from_ms is not None and now_ms < product.available_from_ms:
        return NOT_YET_AVAILABLE
    return None if product.in_stock else OUT_OF_STOCK


def unaffordable(product: Product, basket: Basket) -> str | None:
    """The code of a price that does not suit the basket."""
    if product.price is not None and product.currency != basket.currency:
        return OTHER_CURRENCY
    if basket.max_price is not None and (product.price is None or product.price > basket.max_price):
        return OVER_LIMIT
    return None


def needed_once(product: Product, policy: Policy) -> bool:
    """Whether nobody buys this product twice: a second one is no use beside the first."""
    once = policy.once_categories
    return product.is_service or (bool(once) and not once.isdisjoint(product.category))
