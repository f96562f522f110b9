"""Which item of a finished order is hidden, when orders are used to test scorers before they are counted."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Final

FEWEST_SKUS: Final = 2
MOST_SKUS: Final = 80
"""Orders with fewer distinct SKUs leave nothing to ask with; with more they are wholesale lists."""


def hidden_sku(order_id: str, skus: Collection[str]) -> str | None:
    """The SKU to hide, always the same for an order; None where the order is no test.

    >>> hidden_sku("536365", {"71053", "85123A", "22752"})
    '22752'
    """
    if not FEWEST_SKUS <= len(skus) <= MOST_SKUS:
        return None
    return sorted(skus)[_digest(order_id) % len(skus)]


def is_sampled(order_id: str, one_in: int) -> bool:
    """Whether an order is among the one in so many that are measured, independent of what it would hide."""
    return (_digest(order_id) >> 128) % one_in == 0


def _digest(order_id: str) -> int:
    return int.from_bytes(sha256(order_id.encode()).digest(), "big")
