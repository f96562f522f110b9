"""Ids as the tables know them: fixed-length digests, so that no name can shape a key or move a slot."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

SKU_BYTES = 8
ALL_ORDERS = bytes(SKU_BYTES)
"""The id under which the number of all counted orders is kept, beside the order counts of SKUs."""


@lru_cache(maxsize=1 << 17)
def sku_id(sku: str) -> bytes:
    """The leading 8 bytes of the SKU's BLAKE2b digest.

    >>> sku_id("tea").hex()
    'b8a5d9e3ccb60eb1'
    """
    return blake2b(sku.encode()).digest()[:SKU_BYTES]


def order_id(order: str) -> bytes:
    """The leading 16 bytes of the order id's BLAKE2b digest."""
    return blake2b(order.encode()).digest()[:16]


@lru_cache(maxsize=1 << 15)
def customer_id(customer: str) -> bytes:
    """The leading 16 bytes of the customer id's BLAKE2b digest."""
    return blake2b(customer.encode()).digest()[:16]


def range_id(name: str) -> bytes:
    """The leading 16 bytes of the range id's BLAKE2b digest."""
    return blake2b(name.encode()).digest()[:16]


def event_id(event: str) -> bytes:
    """The leading 8 bytes of the event id's BLAKE2b digest."""
    return blake2b(event.encode()).digest()[:8]


def tag_of(ident: bytes, tags: int) -> int:
    """The tag (share of the tables) that owns an id: its first four bytes, big-endian, modulo the tags."""
    return int.from_bytes(ident[:4], "big") % tags
