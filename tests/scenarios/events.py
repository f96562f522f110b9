"""Events as the scenarios write them: short, with ids made from what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from stream.events import (
    BasketUpdated,
    Complement,
    CustomerUpdated,
    FeatureValue,
    Line,
    OrderLine,
    OrderPlaced,
    ProductUpdated,
    Range,
)
from stream.suggestion import Suggestion

NOW = datetime.now(UTC) - timedelta(minutes=10)

Priced = str | tuple[str, int]
"""A SKU without a price, or with one in minor units."""


def product(
    sku: str,
    price: int,
    *,
    rung: tuple[str, int] | None = None,
    features: Mapping[str, FeatureValue] | None = None,
    goes_with: tuple[str, ...] = (),
    kind: str = "physical",
    category: str = "goods",
    **more: Any,
) -> ProductUpdated:
    """A product of the catalogue; `goes_with` are the complements it names."""
    return ProductUpdated(
        event_id=f"product-{sku}",
        occurred_at=NOW,
        sku=sku,
        title=sku.replace("-", " ").capitalize(),
        kind=kind,  # type: ignore[arg-type]
        category=[category],
        price=price,
        currency="EUR",
        range=Range(*rung) if rung else None,
        features=dict(features or {}),
        complements=[Complement(other) for other in goes_with],
        **more,
    )


def basket(name: str, *lines: Priced, channel: str = "web", **more: Any) -> BasketUpdated:
    """A basket with one piece of each."""
    return BasketUpdated(
        event_id=f"asked-{name}",
        occurred_at=NOW,
        channel=channel,
        basket_id=name,
        currency="EUR",
        lines=[Line(sku, 1, price) for sku, price in map(_priced, lines)],
        **more,
    )


def order(name: str, *lines: Priced, channel: str = "web", **more: Any) -> OrderPlaced:
    """An order of one piece of each."""
    return OrderPlaced(
        event_id=f"placed-{name}",
        occurred_at=NOW,
        channel=channel,
        order_id=name,
        currency="EUR",
        lines=[OrderLine(sku, 1, price) for sku, price in map(_priced, lines)],
        **more,
    )


def taking(
    name: str, answer: Suggestion, taken: Sequence[Priced], *lines: Priced, channel: str
) -> OrderPlaced:
    """An order of some lines, and of what an answer offered."""
    plain = order(name, *lines, channel=channel)
    told = [OrderLine(sku, 1, price, answer.suggestion_id) for sku, price in map(_priced, taken)]
    return msgspec.structs.replace(plain, lines=[*plain.lines, *told])


def bought(times: int, *skus: str, channel: str = "web") -> list[OrderPlaced]:
    """So many orders of the same SKUs."""
    return [order(f"{channel}:{'+'.join(skus)}#{n}", *skus, channel=channel) for n in range(times)]


def customer(name: str, **more: Any) -> CustomerUpdated:
    """A customer's profile."""
    return CustomerUpdated(event_id=f"profile-{name}", occurred_at=NOW, customer_id=name, **more)


def _priced(line: Priced) -> tuple[str, int]:
    return (line, 0) if isinstance(line, str) else line
