"""Orders answered by whole workers: each counted one once by id, whatever happens to the worker."""

from __future__ import annotations

import json
import random
import signal

from stream import topics
from stream.channels import CUSTOMERS, ORDERS, PRODUCTS
from stream.codec import occurred_ms
from stream.events import Consents, CustomerUpdated
from stream.identity import suggestion_id
from tests.e2e.shop import Shop
from tests.e2e.test_worker import NOW, order, product, suggestions


def willing(customer: str) -> CustomerUpdated:
    """A customer who agreed to e-mail."""
    return CustomerUpdated(
        event_id=f"profile-{customer}", occurred_at=NOW, customer_id=customer, consents=Consents(email=True)
    )


async def test_a_worker_killed_again_and_again_answers_every_counted_order_of_the_willing(
    shop: Shop,
) -> None:
    dice = random.Random(11)
    orders = [order(i, "sku-1", f"sku-{2 + i % 7}") for i in range(600)]
    await shop.publish(CUSTOMERS, [willing("customer-0"), willing("customer-3")])
    worker = await shop.start_worker()
    await shop.caught_up(topics.CUSTOMER_UPDATED)
    await worker.end()
    again = [dice.choice(orders) for _ in range(100)]
    await shop.publish(ORDERS, [*orders, *again])
    for _ in range(2):
        worker = await shop.start_worker(max_batch="50")
        goal = len(await suggestions(shop)) + dice.randint(1, 100)
        while len(await suggestions(shop)) < goal:
            assert worker.process.returncode is None, worker.log.read_text()
        await worker.end(signal.SIGKILL)

    await shop.start_worker()
    await shop.caught_up(topics.ORDER_PLACED)

    topic, at_ms = shop.prefix + topics.ORDER_PLACED, occurred_ms(NOW)
    expected = {
        suggestion_id(topic, placed.order_id, placed.event_id, at_ms)
        for placed in orders
        if placed.customer_id in ("customer-0", "customer-3")
    }
    answers = await suggestions(shop)
    assert {answer.suggestion_id for answer in answers} == expected
    assert {answer.timing for answer in answers} == {"post_purchase"}


async def test_an_answered_order_is_explained(shop: Shop) -> None:
    await shop.publish(CUSTOMERS, [willing("customer-1")])
    await shop.publish(PRODUCTS, [product("case", 10_00, 1), product("case-pro", 14_00, 2, lined=True)])
    await shop.start_worker(cache_age_s="0")
    await shop.caught_up(topics.CUSTOMER_UPDATED, topics.PRODUCT_UPDATED)
    await shop.publish(ORDERS, [order(1, "case")])
    await shop.caught_up(topics.ORDER_PLACED)
    [answer] = await suggestions(shop)

    explained = json.loads(await shop.command("explain", answer.suggestion_id, "--json"))

    assert explained["question"]["order_id"] == "order-1"
    assert explained["unchanged"] is True
    assert {rung["sku"]: rung["fate"] for rung in explained["today"]["rungs"]} == {"case-pro": "WRONG_TIMING"}
