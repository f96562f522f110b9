"""What another policy would have offered: every basket of the log asked again under both.

An offer counts as taken when its SKU came into the same basket later: was in one of its later snapshots or in its
order. That is no proof that the offer would have been the cause, but the same yardstick for both policies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from msgspec import Struct

from stream import topics
from stream.channels import BASKETS, ORDERS
from stream.decisions.decide import decide_batch
from stream.decisions.model import Decision
from stream.decisions.policy import Policy
from stream.events import BasketUpdated
from stream.explanation.asking import Asking
from stream.intake import receive_all
from stream.settings import Settings
from stream.suggestion import Offer
from stream.tables.tables import Tables
from stream.verification.log_reader import read_log

AT_ONCE = 500
DIFFERENCES = 10
"""SKUs named that gained or lost the most."""


class Side(Struct):
    """What one policy offers: offers by kind, those that were taken later, and their value by currency; `projected` is
    what all of them are expected to bring, where that can be told."""

    version: str
    offers: dict[str, int]
    silent: int = 0
    taken: int = 0
    taken_value: dict[str, int] = {}
    projected: dict[str, int] = {}


class Comparison(Struct):
    """Both sides, how many baskets would be answered differently, and the SKUs whose offers changed the most."""

    baskets: int
    changed: int
    before: Side
    after: Side
    gained: dict[str, int]
    lost: dict[str, int]


async def compare(
    settings: Settings,
    tables: Tables,
    before: Policy,
    after: Policy,
    *,
    most: int | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Comparison:
    """Ask the first `most` baskets of the log (all, if None) under both policies."""
    later = await _contents(settings)
    sides = [Side(policy.version, {}) for policy in (before, after)]
    asking = [Asking(tables, policy, settings.topic_prefix) for policy in (before, after)]
    shifted: Counter[str] = Counter()
    done = changed = 0
    async for events in _baskets(settings, most):
        answers = [
            await _answers(ask, events, policy) for ask, policy in zip(asking, (before, after), strict=True)
        ]
        for event, old, new in zip(events, *answers, strict=True):
            changed += _shown(old) != _shown(new)
            shifted.update(offer.sku for offer in new.offers)
            shifted.subtract(offer.sku for offer in old.offers)
            for side, decision in zip(sides, (old, new), strict=True):
                _enter(side, event, decision.offers, later.get(event.basket_id, frozenset()))
        done += len(events)
        on_progress(done)
    ranked = sorted(shifted.items(), key=lambda entry: (-abs(entry[1]), entry[0]))
    gained = [(sku, by) for sku, by in ranked if by > 0]
    lost = [(sku, -by) for sku, by in ranked if by < 0]
    old_side, new_side = sides
    return Comparison(done, changed, old_side, new_side, dict(gained[:DIFFERENCES]), dict(lost[:DIFFERENCES]))


async def _answers(asking: Asking, events: Sequence[BasketUpdated], policy: Policy) -> list[Decision]:
    baskets = await asking.questions(events)
    return decide_batch(baskets, await asking.views(baskets), policy, 0)


def _shown(decision: Decision) -> list[tuple[str, str]]:
    return [(offer.kind, offer.sku) for offer in decision.offers]


def _enter(side: Side, event: BasketUpdated, offers: Iterable[Offer], later: frozenset[str]) -> None:
    """Count what one basket was offered, and what of it came into the basket later."""
    held = {line.sku for line in event.lines}
    silent = True
    for offer in offers:
        silent = False
        side.offers[offer.kind] = side.offers.get(offer.kind, 0) + 1
        if offer.expected_value is not None:
            projected = side.projected.get(event.currency, 0)
            side.projected[event.currency] = projected + offer.expected_value
        if offer.sku in later and offer.sku not in held:
            side.taken += 1
            value = side.taken_value.get(event.currency, 0)
            side.taken_value[event.currency] = value + (offer.price or 0)
    side.silent += silent


async def _contents(settings: Settings) -> dict[str, frozenset[str]]:
    """Every SKU that ever stood in each basket or its order."""
    held: dict[str, set[str]] = {}
    async for record in read_log(settings.broker, settings.topic_prefix + topics.BASKET_UPDATED):
        for basket in receive_all(BASKETS, [record])[0]:
            held.setdefault(basket.event.basket_id, set()).update(line.sku for line in basket.event.lines)
    async for record in read_log(settings.broker, settings.topic_prefix + topics.ORDER_PLACED):
        for order in receive_all(ORDERS, [record])[0]:
            if order.event.basket_id is not None:
                held.setdefault(order.event.basket_id, set()).update(line.sku for line in order.event.lines)
    return {basket: frozenset(skus) for basket, skus in held.items()}


async def _baskets(settings: Settings, most: int | None) -> AsyncIterator[list[BasketUpdated]]:
    """The usable basket events of the log, a few hundred at a time."""
    batch: list[BasketUpdated] = []
    left = most
    async for record in read_log(settings.broker, settings.topic_prefix + topics.BASKET_UPDATED):
        batch += [received.event for received in receive_all(BASKETS, [record])[0]]
        if left is not None and len(batch) >= left:
            break
        if len(batch) >= AT_ONCE:
            left = None if left is None else left - len(batch)
            yield batch
            batch = []
    if batch:
        yield batch
