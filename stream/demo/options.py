"""What the demo was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_ORDERS = 4_000
"""Ends well within three minutes on two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """`dataset` is a name or a path; `orders` None is all of them.

    `rate` is basket events a second, None as fast as they are answered; `in_flight` bounds the baskets that
    wait for their suggestion. `broker` is embedded, apache or HOST:PORT, `redis` embedded or a URL.
    """

    dataset: str = "completejourney"
    catalog: Path | None = None
    currency: str | None = None
    orders: int | None = DEFAULT_ORDERS
    broker: str = "embedded"
    redis: str = "embedded"
    partitions: int = 4
    rate: float | None = None
    in_flight: int = 512
    tills: int = 64
    keep: bool = False
    json: bool = False
