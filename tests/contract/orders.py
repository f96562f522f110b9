"""Orders and returns as tests write them, a recount in plain Python, and a store that fails on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, Literal

from stream.errors import PoisonEvent, StateUnavailable
from stream.events import CustomerErased, OrderLine, OrderPlaced, OrderReturned, ReturnedLine
from stream.tables.dump import Row, dump_rows
from stream.tables.fences import Owner
from stream.tables.returns import Outcome
from stream.tables.store import Command, Script, Store
from stream.tables.tables import Tables

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_PANE = 20_454
TOPIC = "order-placed"


def order(
    order_id: str,
    skus: str | Sequence[str],
    *,
    day: float = 0,
    customer: str | None = None,
    price: int = 1_00,
) -> OrderPlaced:
    """An order of one piece of each SKU (a plain string is one SKU a letter), `day` days after the start."""
    return OrderPlaced(
        event_id=f"placed-{order_id}",
        occurred_at=START + timedelta(days=day),
        channel="web",
        order_id=order_id,
        currency="EUR",
        customer_id=customer,
        lines=[OrderLine(sku=sku, quantity=1, unit_price=price) for sku in skus],
    )


def returned(
    order_id: str,
    skus: str = "",
    *,
    quantity: int = 1,
    event_id: str | None = None,
    day: float = 0,
    reason: Literal["returned", "cancelled"] = "returned",
) -> OrderReturned:
    """The return of one piece of each SKU named; of all when none is. By default alike returns are one event."""
    return OrderReturned(
        event_id=event_id or f"returned-{order_id}-{skus}-{quantity}",
        occurred_at=START + timedelta(days=day),
        channel="web",
        order_id=order_id,
        reason=reason,
        lines=[ReturnedLine(sku=sku, quantity=quantity) for sku in skus],
    )


def erased(customer: str, *, day: float = 0, event_id: str = "erased") -> CustomerErased:
    """A customer's wish to be forgotten, `day` days after the start."""
    return CustomerErased(event_id=event_id, occurred_at=START + timedelta(days=day), customer_id=customer)


async def take_back(made: Tables, owner: Owner, offset: int, event: OrderReturned) -> Outcome:
    """What becomes of one return. Raises the PoisonEvent it may be."""
    (outcome,) = (await made.returns.take_back(owner, [(offset, event)])).outcomes
    if isinstance(outcome, PoisonEvent):
        raise outcome
    return outcome


async def rows(tables: Tables, *names: str) -> list[Row]:
    """The rows of the named tables."""
    return [row async for row in dump_rows(tables) if row["table"] in names]


async def counts(tables: Tables) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Co-purchase counts by (sku, partner), order counts by SKU."""
    found = await rows(tables, "co_purchase", "order_count")
    pairs = {(r["sku"], r["partner"]): r["count"] for r in found if r["table"] == "co_purchase"}
    return pairs, {r["sku"]: r["count"] for r in found if r["table"] == "order_count"}


def recount(orders: Sequence[OrderPlaced]) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """What `counts` must say when exactly these orders count."""
    pairs: Counter[tuple[str, str]] = Counter()
    singles: Counter[str] = Counter()
    for placed in orders:
        skus = {line.sku for line in placed.lines}
        pairs.update(permutations(skus, 2))
        singles.update(skus)
    return dict(pairs), dict(singles)


class FailingStore:
    """Loses the reply of every call whose number is in `lost`, and never makes those in `cut`."""

    def __init__(self, store: Store, *, lost: Sequence[int] = (), cut: Sequence[int] = ()) -> None:
        self.store, self.lost, self.cut = store, set(lost), set(cut)
        self.calls = 0

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        return await self._call(self.store.commands, commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`; a cut call may have run some of its scripts: it runs the first half."""
        return await self._call(self.store.scripts, scripts)

    async def _call(self, run: Any, what: Sequence[Any]) -> list[Any]:
        self.calls += 1
        if self.calls in self.cut:
            await run(what[: len(what) // 2])
            raise StateUnavailable("cut half-way")
        answers: list[Any] = await run(what)
        if self.calls in self.lost:
            raise StateUnavailable("reply lost")
        return answers

    async def close(self) -> None:
        """See `Store`."""
