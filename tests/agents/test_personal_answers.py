"""Through a worker's agents, its fitter included: offers for a customer's past, and what is popular where."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from stream import topics
from stream.codec import encode
from stream.evaluation.in_step import InStep
from stream.events import BasketUpdated, Line, ProductUpdated
from stream.publisher import Outgoing
from stream.settings import load_settings
from stream.suggestion import Offer, Suggestion
from tests.contract.orders import START, erased, order, returned


class Shop:
    """A worker in memory that reads everything afresh for every answer."""

    def __init__(self, **settings: Any) -> None:
        self.worker = InStep(load_settings({}, tags=4, cache_age_s=0.0, **settings))
        self._asked = 0

    async def send(self, topic: str, key: str, event: Any, at: datetime) -> list[Suggestion]:
        sent = await self.worker.send(topic, Outgoing(key.encode(), encode(event)), at)
        return [msgspec.json.decode(each.value or b"", type=Suggestion) for each in sent.answers]

    async def list_product(self, sku: str, category: str) -> None:
        event = ProductUpdated(
            event_id=f"product-{sku}",
            occurred_at=START,
            sku=sku,
            title=sku,
            kind="physical",
            category=["all", category],
            price=5_00,
            currency="EUR",
        )
        await self.send(topics.PRODUCT_UPDATED, sku, event, START)

    async def sell(self, order_id: str, skus: str, **more: Any) -> None:
        channel = more.pop("channel", "web")
        event = replace(order(order_id, skus, **more), channel=channel)
        await self.send(topics.ORDER_PLACED, order_id, event, event.occurred_at)

    async def ask(
        self, *skus: str, day: float, customer: str | None = None, channel: str = "web"
    ) -> list[Offer]:
        self._asked += 1
        event = BasketUpdated(
            event_id=f"asked-{self._asked}",
            occurred_at=START + timedelta(days=day),
            channel=channel,
            basket_id=f"basket-{self._asked}",
            currency="EUR",
            customer_id=customer,
            lines=[Line(sku, 1, 5_00) for sku in skus],
        )
        [answer] = await self.send(topics.BASKET_UPDATED, event.basket_id, event, event.occurred_at)
        return answer.offers


async def test_what_is_due_follows_orders_returns_and_erasure() -> None:
    shop = Shop()
    await shop.worker.open()
    for n, day in enumerate((0, 20, 40)):
        await shop.sell(f"o{n}", "fz", day=day, customer="ann")

    def codes(offers: list[Offer]) -> list[tuple[str, str, str]]:
        return [(offer.kind, offer.sku, offer.reason.code) for offer in offers]

    assert codes(await shop.ask("x", day=58, customer="ann")) == [("buy_again", "f", "BUY_AGAIN")]
    assert codes(await shop.ask("x", day=58, customer="bob")) == []
    back = returned("o1", "f", day=58)
    await shop.send(topics.ORDER_RETURNED, "o1", back, back.occurred_at)
    assert codes(await shop.ask("x", day=58, customer="ann")) == [("buy_again", "z", "BUY_AGAIN")]
    await shop.sell("o3", "z", day=58, customer="ann")
    assert codes(await shop.ask("x", day=59, customer="ann")) == []
    assert codes(await shop.ask("x", day=75, customer="ann")) == [("buy_again", "z", "BUY_AGAIN")]
    wish = erased("ann", day=75)
    await shop.send(topics.CUSTOMER_ERASED, "ann", wish, wish.occurred_at)
    assert codes(await shop.ask("x", day=75, customer="ann")) == []


async def test_popularity_is_offered_once_it_serves_and_by_channel_where_enough_is_known() -> None:
    shop = Shop()
    await shop.worker.open()
    for n in range(230):
        await shop.sell(f"w{n}", "ab" if n % 2 else "a", channel="web")
        await shop.sell(f"p{n}", "c", channel="pos")

    assert await shop.ask("x", day=1) == []
    await shop.worker.tables.scorers.serve("popularity")
    await shop.ask("a", "b", "c", day=1)  # what was read here needs fits, and with them the heads are counted
    web, pos, app = [(await shop.ask("x", day=1, channel=name))[0] for name in ("web", "pos", "app")]

    assert [(offer.sku, offer.reason.code) for offer in (web, pos, app)] == [
        ("a", "POPULAR"),
        ("c", "POPULAR"),
        ("a", "POPULAR"),
    ]
    assert [offer.reason.evidence["segment"] for offer in (web, pos, app)] == [
        "channel web",
        "channel pos",
        "all customers",
    ]
    # As of when the heads were counted: at most a tenth of the orders ago.
    assert 207 <= int(pos.reason.evidence["orders"]) == pos.reason.evidence["of_orders"]


async def test_a_new_product_gets_what_goes_with_its_category() -> None:
    shop = Shop()
    await shop.worker.open()
    for sku, category in (("t", "tea"), ("n", "tea"), ("m", "cups"), ("s", "tools")):
        await shop.list_product(sku, category)
    for n in range(30):
        await shop.sell(f"t{n}", "tm")
        await shop.sell(f"s{n}", "s")

    await shop.ask("t", day=1)
    [offer] = await shop.ask("n", day=1)

    assert (offer.sku, offer.reason.code) == ("m", "CATEGORY_PAIR")
    assert offer.reason.text == "30 of 30 orders with something of tea in 90 days also had something of cups"
