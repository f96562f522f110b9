"""The main job through whole workers: baskets answered, orders counted, whatever happens to the worker."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations

import msgspec
import pytest

from stream import topics
from stream.announcements import TierChanged
from stream.channels import BASKETS, ORDERS, PRODUCTS
from stream.codec import occurred_ms
from stream.dead_letters import CODE, OFFSET, PARTITION, TOPIC
from stream.errors import OperatorError
from stream.events import BasketUpdated, Line, OrderLine, OrderPlaced, ProductUpdated, Range
from stream.identity import suggestion_id
from stream.publisher import Outgoing
from stream.rebuild import rebuild
from stream.suggestion import Suggestion
from stream.tables.dump import dump_rows
from tests.broken_records import BROKEN
from tests.e2e.shop import PATIENCE_S, POLL_S, Shop

SKUS = [f"sku-{i}" for i in range(12)]
NOW = datetime.now(UTC) - timedelta(minutes=10)


def basket(ident: int, *skus: str) -> BasketUpdated:
    """A basket with one piece of each SKU."""
    return BasketUpdated(
        event_id=f"basket-event-{ident}",
        occurred_at=NOW,
        channel="web",
        basket_id=f"basket-{ident}",
        currency="EUR",
        lines=[Line(sku, 1, 10_00) for sku in skus],
    )


def order(ident: int, *skus: str) -> OrderPlaced:
    """An order with one piece of each SKU."""
    return OrderPlaced(
        event_id=f"order-event-{ident}",
        occurred_at=NOW,
        channel="web",
        order_id=f"order-{ident}",
        currency="EUR",
        customer_id=f"customer-{ident % 5}",
        lines=[OrderLine(sku, 1, 10_00) for sku in skus],
    )


def product(sku: str, price: int, rung: int, **features: bool) -> ProductUpdated:
    """A product of the one range there is."""
    return ProductUpdated(
        event_id=f"product-{sku}",
        occurred_at=NOW,
        sku=sku,
        title=sku.title(),
        kind="physical",
        category=["things"],
        price=price,
        currency="EUR",
        range=Range("things", rung),
        features=features,
    )


def random_orders(count: int, seed: int) -> list[OrderPlaced]:
    """Orders of one to five SKUs."""
    dice = random.Random(seed)
    return [order(i, *dice.sample(SKUS, dice.randint(1, 5))) for i in range(count)]


async def pair_counts(shop: Shop) -> dict[tuple[str, str], int]:
    """Co-purchase counts of unordered pairs, as the tables have them."""
    tables = shop.tables()
    try:
        rows = [row async for row in dump_rows(tables) if row["table"] == "co_purchase"]
    finally:
        await tables.close()
    return {(row["sku"], row["partner"]): row["count"] for row in rows if row["sku"] < row["partner"]}


def expected_pairs(orders: list[OrderPlaced]) -> dict[tuple[str, str], int]:
    """The same, counted here."""
    return Counter(
        pair for placed in orders for pair in combinations(sorted({line.sku for line in placed.lines}), 2)
    )


async def suggestions(shop: Shop) -> list[Suggestion]:
    """All that was published so far."""
    records = await shop.read_all(topics.SUGGESTIONS)
    return [msgspec.json.decode(record.value, type=Suggestion) for record in records]


async def test_a_basket_is_answered_with_what_was_bought_together_and_the_next_rung(shop: Shop) -> None:
    await shop.start_worker(cache_age_s="0")
    await shop.publish(PRODUCTS, [product("case", 10_00, 1), product("case-pro", 14_00, 2, lined=True)])
    await shop.publish(ORDERS, [order(i, "case", "phone") for i in range(4)] + [order(9, "tea")])
    await shop.caught_up(topics.PRODUCT_UPDATED, topics.ORDER_PLACED)

    await shop.publish(BASKETS, [basket(1, "case"), basket(2, "unheard-of")])
    await shop.caught_up(topics.BASKET_UPDATED)

    answers = {answer.basket_id: answer for answer in await suggestions(shop)}
    offers = {offer.kind: offer for offer in answers["basket-1"].offers}
    assert offers["cross_sell"].sku == "phone"
    assert offers["cross_sell"].reason.evidence["together"] == 4
    assert (offers["upsell"].sku, offers["upsell"].replaces_sku) == ("case-pro", "case")
    assert offers["upsell"].price_step == 4_00
    assert [rung.features for rung in offers["upsell"].ladder] == [{"lined": False}, {"lined": True}]
    assert answers["basket-2"].offers == []


async def test_every_broken_record_ends_once_as_a_dead_letter_and_its_neighbours_are_applied(
    shop: Shop,
) -> None:
    good_orders, good_baskets = random_orders(60, seed=1), [basket(i, "sku-1") for i in range(60)]
    for channel, good in ((ORDERS, good_orders), (BASKETS, good_baskets)):
        mixed = [Outgoing(getattr(e, channel.key).encode(), msgspec.json.encode(e)) for e in good]
        for at, broken in enumerate(BROKEN[channel.topic].values()):
            mixed.insert(2 * at, Outgoing(broken.key, broken.value))
        await shop.publish_raw(channel.topic, mixed)

    await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED, topics.BASKET_UPDATED)

    for channel in (ORDERS, BASKETS):
        letters = await shop.read_all(topics.dead_letter_topic(channel.topic))
        found = [dict(letter.headers) for letter in letters]
        expected = Counter(broken.code for broken in BROKEN[channel.topic].values())
        assert Counter(headers[CODE].decode() for headers in found) == expected
        assert Counter((letter.key, letter.value) for letter in letters) == Counter(
            (broken.key, broken.value) for broken in BROKEN[channel.topic].values()
        )
        positions = {(h[TOPIC], h[PARTITION], h[OFFSET]) for h in found}
        assert len(positions) == len(letters)
    assert await pair_counts(shop) == expected_pairs(good_orders)
    assert {answer.basket_id for answer in await suggestions(shop)} == {b.basket_id for b in good_baskets}


async def test_a_worker_killed_three_times_counts_every_order_once_and_answers_every_basket(
    shop: Shop,
) -> None:
    dice = random.Random(7)
    orders, baskets = random_orders(3_000, seed=7), [basket(i, "sku-1", "sku-2") for i in range(3_000)]
    for start in range(0, 3_000, 500):
        await shop.publish(ORDERS, orders[start : start + 500])
        await shop.publish(BASKETS, baskets[start : start + 500])
    for _ in range(3):
        worker = await shop.start_worker(max_batch="50")
        goal = dice.randint(1, 400) + await _orders_claimed(shop)
        while await _orders_claimed(shop) < goal:
            assert worker.process.returncode is None, worker.log.read_text()
        await worker.end(signal.SIGKILL)

    await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED, topics.BASKET_UPDATED)

    assert await pair_counts(shop) == expected_pairs(orders)
    answers = await suggestions(shop)
    topic = shop.prefix + topics.BASKET_UPDATED
    ids = {suggestion_id(topic, b.basket_id, b.event_id, occurred_ms(NOW)) for b in baskets}
    assert {answer.suggestion_id for answer in answers} == ids
    assert len({(answer.suggestion_id, answer.cause.event_id) for answer in answers}) == len(ids)


async def _orders_claimed(shop: Shop) -> int:
    tables = shop.tables()
    try:
        commands = [("HLEN", tables.keys.claims(tag)) for tag in range(tables.layout.tags)]
        return sum(int(count) for count in await tables.store.commands(commands))
    finally:
        await tables.close()


async def test_events_delivered_twice_count_once_and_are_answered_under_one_id(shop: Shop) -> None:
    orders, baskets = random_orders(50, seed=3), [basket(i, "sku-1") for i in range(50)]
    await shop.start_worker()
    for _ in range(2):
        await shop.publish(ORDERS, orders)
        await shop.publish(BASKETS, baskets)
    await shop.caught_up(topics.ORDER_PLACED, topics.BASKET_UPDATED)

    assert await pair_counts(shop) == expected_pairs(orders)
    assert len({answer.suggestion_id for answer in await suggestions(shop)}) == 50


async def test_a_worker_told_to_stop_ends_with_zero_and_leaves_nothing_to_do_again(shop: Shop) -> None:
    await shop.publish(BASKETS, [basket(i, "sku-1") for i in range(500)])
    worker = await shop.start_worker()
    await shop.caught_up(topics.BASKET_UPDATED)

    assert await worker.end() == 0
    await shop.start_worker()
    await shop.publish(BASKETS, [basket(1_000, "sku-1")])
    await shop.caught_up(topics.BASKET_UPDATED)
    assert len(await suggestions(shop)) == 501


async def test_a_worker_whose_redis_was_emptied_refuses_to_start_and_says_what_to_do(shop: Shop) -> None:
    await shop.publish(ORDERS, random_orders(20, seed=5))
    worker = await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED)
    await worker.end()
    tables = shop.tables()
    await tables.store.commands([("FLUSHDB",)])
    await tables.close()

    second = await shop.start_worker()
    assert await second.process.wait() == 2
    assert "Redis lost its data" in second.log.read_text()
    assert "tables rebuild" in second.log.read_text()


async def test_tables_that_were_lost_are_rebuilt_from_the_log(shop: Shop) -> None:
    orders = random_orders(200, seed=11)
    await shop.publish(ORDERS, orders)
    worker = await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED)
    tables = shop.tables()
    with pytest.raises(OperatorError, match="still run"):
        await rebuild(shop.settings, tables)
    await worker.end()
    await tables.store.commands([("FLUSHDB",)])

    await rebuild(shop.settings, tables)
    await tables.close()
    await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED)

    assert await pair_counts(shop) == expected_pairs(orders)


async def test_a_customer_who_rises_is_announced_once_under_one_id(shop: Shop) -> None:
    await shop.start_worker()
    await shop.publish(ORDERS, [order(5 * i, "sku-1", "sku-2") for i in range(6)])
    await shop.caught_up(topics.ORDER_PLACED)

    async with asyncio.timeout(PATIENCE_S):
        while not (records := await shop.read_all(topics.CUSTOMER_TIER_CHANGED)):
            await asyncio.sleep(POLL_S)
    changes = [msgspec.json.decode(record.value, type=TierChanged) for record in records]

    assert {(c.customer_id, c.from_tier, c.to_tier) for c in changes} == {("customer-0", "none", "bronze")}
    assert len({c.event_id for c in changes}) == 1
    assert changes[0].spend["EUR"] >= 100_00
    assert records[0].key == b"customer-0"
