"""Ids derived from what caused them, so that doing the work again gives the same ids (pure)."""

from __future__ import annotations

from hashlib import blake2b

ID_BYTES = 16


def derived_id(kind: str, *parts: str) -> str:
    """32 hex digits that stand for `kind` and its parts.

    Parts are joined by NUL, which no id may hold: two different lists of parts never read the same.
    """
    return blake2b("\0".join((kind, *parts)).encode(), digest_size=ID_BYTES).hexdigest()


def suggestion_id(topic: str, basket_id: str, event_id: str, occurred_at_ms: int) -> str:
    """The id of the suggestion that answers one event; after a purchase `basket_id` is the order's id.

    >>> suggestion_id("basket-updated", "b-1", "e-1", 1772357412345)
    'bf71d9892534bc66f340d5211378b44a'
    """
    return derived_id("suggestion", topic, basket_id, event_id, str(occurred_at_ms))


def offer_id(suggestion: str, kind: str, sku: str, replaces_sku: str | None = None) -> str:
    """The id of one offer: its suggestion's, and 12 hex digits that stand for what is offered instead of what.

    Within a suggestion no two offers share one; an upsell of two lines to one product is two offers.
    """
    return suggestion + offer_tail(kind, sku, replaces_sku)


def offer_tail(kind: str, sku: str, replaces_sku: str | None = None) -> str:
    """The end of an offer's id, which is the same in every suggestion."""
    text = f"{kind}\0{sku}" if replaces_sku is None else f"{kind}\0{sku}\0{replaces_sku}"
    return f"-{blake2b(text.encode(), digest_size=6).hexdigest()}"
