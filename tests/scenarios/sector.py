"""A sector: its catalogue, its orders, what is asked of it; and the play that sends all of it through a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream import topics
from stream.channels import BASKETS, CUSTOMERS, ORDERS, PRODUCTS
from stream.codec import encode
from stream.events import BasketUpdated, CustomerUpdated, OrderPlaced, ProductUpdated
from stream.ledger.reckoning import Account
from stream.publisher import Outgoing
from stream.suggestion import Offer, Suggestion
from stream.tables.tables import Tables
from tests.e2e.shop import Shop
from tests.redis_servers import PATIENCE_S, POLL_S
from tests.scenarios.events import basket
from tests.services import Services, fresh_topics

STALE_MS = 60_000


@dataclass(frozen=True)
class Sector:
    """What is known before anybody asks, then what is asked: baskets, and orders that are answered as well.

    `letters` are product records nobody can use; `stale` are baskets whose record is a minute old. With `sampled` a
    basket of the first product is asked before all others, and they wait until the worker has drawn a sample.
    """

    name: str
    products: Sequence[ProductUpdated] = ()
    orders: Sequence[OrderPlaced] = ()
    customers: Sequence[CustomerUpdated] = ()
    baskets: Sequence[BasketUpdated] = ()
    placed: Sequence[OrderPlaced] = ()
    stale: Sequence[BasketUpdated] = ()
    letters: Sequence[Outgoing] = ()
    sampled: bool = False
    accept: Callable[[Mapping[str, Suggestion]], Sequence[OrderPlaced]] | None = None
    """Orders that take up some of the answers; then the ledger is asked."""


@dataclass(frozen=True)
class Told:
    """What the worker answered, by basket or order; `waits_ms` is how long each basket waited for it."""

    sector: Sector
    answers: dict[str, Suggestion]
    waits_ms: dict[str, int]
    letters: list[ConsumerRecord]
    log: str
    accounts: dict[str, Account]
    """The ledger, by channel."""

    def offered(self, name: str, kind: str | None = None) -> list[str]:
        """SKUs offered to a basket, in order."""
        return [offer.sku for offer in self.answers[name].offers if kind in (None, offer.kind)]

    def upsell(self, name: str) -> Offer:
        """The one upsell of a basket."""
        [offer] = [offer for offer in self.answers[name].offers if offer.kind == "upsell"]
        return offer

    def offer(self, name: str, sku: str) -> Offer:
        """The offer of one SKU to a basket."""
        [offer] = [offer for offer in self.answers[name].offers if offer.sku == sku]
        return offer

    def codes(self, name: str) -> dict[str, str]:
        """Why candidates were not offered to a basket."""
        return {entry.sku: entry.code for entry in self.answers[name].suppressed}

    def product(self, sku: str) -> ProductUpdated:
        """A product of the sector's catalogue."""
        [found] = [product for product in self.sector.products if product.sku == sku]
        return found


async def play(sector: Sector, services: Services, folder: Path) -> Told:
    """Send a sector's events to Kafka, let a worker with an empty Redis of its own work, read its answers."""
    broker = services.kafka()
    prefix = await fresh_topics(broker)
    shop = Shop(broker, services.redis_url(), prefix, folder, namespace=f"{prefix}{sector.name}")
    try:
        # A refit between two answers would make their scores differ; the fitter has tests of its own.
        worker = await shop.start_worker(cache_age_s="0", fit_weights=str(sector.sampled).lower())
        await shop.publish(PRODUCTS, sector.products)
        await shop.publish_raw(topics.PRODUCT_UPDATED, sector.letters)
        await shop.publish(CUSTOMERS, sector.customers)
        await shop.publish(ORDERS, sector.orders)
        await shop.caught_up(topics.PRODUCT_UPDATED, topics.CUSTOMER_UPDATED, topics.ORDER_PLACED)
        if sector.sampled:
            await shop.publish(BASKETS, [basket("first", sector.products[0].sku)])
            await _sampled(shop)
        await shop.publish(BASKETS, sector.baskets)
        await _publish_stale(shop, sector.stale)
        await shop.publish(ORDERS, sector.placed)
        await shop.caught_up(topics.BASKET_UPDATED, topics.ORDER_PLACED)
        answers = await shop.read_all(topics.SUGGESTIONS)
        accounts = await _accounts(shop, sector, answers)
        asked = await shop.read_all(topics.BASKET_UPDATED)
        letters = await shop.read_all(topics.dead_letter_topic(topics.PRODUCT_UPDATED))
        assert await worker.end() == 0, worker.log.read_text()
    finally:
        await shop.stop()
    told = _told(sector, answers, asked, letters, worker.log.read_text())
    return replace(told, accounts=accounts)


async def _accounts(shop: Shop, sector: Sector, answers: Sequence[ConsumerRecord]) -> dict[str, Account]:
    """What the ledger says once the sector's orders took up what was offered."""
    if sector.accept is None:
        return {}
    await shop.publish(ORDERS, sector.accept(_by_name(answers)))
    lines = (await shop.command("kpi", "--json")).splitlines()
    accounts = [msgspec.json.decode(line, type=Account) for line in lines]
    return {account.channel: account for account in accounts}


async def _sampled(shop: Shop) -> None:
    """Return once the shop's worker has drawn a sample of the orders, and fitted what was asked for."""
    tables = shop.tables()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await _fits_wait(tables):
                await asyncio.sleep(POLL_S)
    finally:
        await tables.close()


async def _fits_wait(tables: Tables) -> bool:
    counted = await tables.fitted.heads_counted()  # noted when the sample was drawn as well
    return not counted.orders or any(some.total for some in await tables.fitted.waiting(1))


async def _publish_stale(shop: Shop, baskets: Sequence[BasketUpdated]) -> None:
    """Baskets that have been in Kafka for a minute already, by the time in their records."""
    producer = AIOKafkaProducer(bootstrap_servers=shop.broker.bootstrap)
    await producer.start()
    try:
        for event in baskets:
            await producer.send_and_wait(
                shop.prefix + topics.BASKET_UPDATED,
                key=event.basket_id.encode(),
                value=encode(event),
                timestamp_ms=time.time_ns() // 1_000_000 - STALE_MS,
            )
    finally:
        await producer.stop()


def _told(
    sector: Sector,
    answers: Sequence[ConsumerRecord],
    asked: Sequence[ConsumerRecord],
    letters: list[ConsumerRecord],
    log: str,
) -> Told:
    suggestions = [msgspec.json.decode(record.value, type=Suggestion) for record in answers]
    sent_ms = {(record.partition, record.offset): record.timestamp for record in asked}
    waits_ms = {
        suggestion.basket_id: record.timestamp - sent_ms[suggestion.cause.partition, suggestion.cause.offset]
        for suggestion, record in zip(suggestions, answers, strict=True)
        if suggestion.basket_id is not None and suggestion.timing == "in_basket"
    }
    return Told(sector, _by_name(answers), waits_ms, letters, log, {})


def _by_name(answers: Sequence[ConsumerRecord]) -> dict[str, Suggestion]:
    """Suggestions by the order or basket they answer."""
    suggestions = [msgspec.json.decode(record.value, type=Suggestion) for record in answers]
    by_name = {suggestion.order_id or suggestion.basket_id or "": suggestion for suggestion in suggestions}
    assert len(by_name) == len(suggestions), "one answer a question"
    return by_name
