"""Row 37: ids that try to shape a key, a command, a script or a page go through the whole worker as text."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import Any

import pytest
from redis.crc import key_slot

from tests.faults.arena import Arena
from tests.faults.load import CUSTOMERS, Message, message
from tests.faults.proof import SUGGESTIONS
from tests.redis_cluster import LocalCluster, local_cluster
from tests.redis_servers import RedisNode

TAKEN = (
    *(
        "{x}",
        "{t000}",
        "}{",
        "{}",
        "{{t001}}",
        "a:b",
        ":",
        "::",
        "*",
        "?[a-z]",
        "\\",
        "/",
        "order-placed/0",
        "x0",
    ),
    *(
        "bs:v1:{t000}:fences",
        "}:fences",
        "co:00",
        "{layout}",
        "__proto__",
        "constructor",
        "null",
        "0",
        "-1",
        "1e999",
    ),
    *(
        "redis.call('FLUSHALL')",
        "'; return redis.call('KEYS','*') --",
        "]]..KEYS[1]..[[",
        "$(reboot)",
        "%s%n",
        "${x}",
    ),
    *(
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "🛒🧺",
        "👩‍👩‍👧",
        "\u202eshalom\u202c",
        "שלום",
        "é",
        "e\u0301",
    ),
    *(" ", "\u00a0", "\ufeff", "\u2028", "\u0085", "İ", "ß" * 128, "🛒" * 128, "y" * 128),
)
"""Odd, and allowed: text of 1 to 128 characters without control characters."""

REFUSED = ("", "\ud800", "a\r\nDEL b", "a\0b", "\x7f", "\x1b[2J", "\t", "z" * 129, "w" * 65_536)
"""No ids: their records are dead letters."""


def changed(original: Message, **fields: Any) -> Message:
    """The same event with other fields, as a dead letter to be."""
    event = {**json.loads(original.value or b"{}"), **fields}
    return Message(original.topic, original.key, json.dumps(event).encode(), event["event_id"], poison=True)


def customer(arena: Arena, name: str, number: int) -> Message:
    """What the customer data platform knows of somebody."""
    event = {
        "event_id": f"customer-event-{number}",
        "occurred_at": arena.log.began.isoformat(),
        "customer_id": name,
        "aliases": [name],
    }
    return message(CUSTOMERS, name, event)


def odd_orders(arena: Arena) -> list[Message]:
    """Each allowed id as an order's, a customer's, and in several orders as a SKU."""
    return [
        arena.log.order(skus=arena.dice.sample(TAKEN, 6), customer=TAKEN[-i], order_id=name)
        for i, name in enumerate(TAKEN, 1)
    ]


def refused(arena: Arena) -> list[Message]:
    """Each refused id in every place that holds one."""
    found = []
    for name in REFUSED:
        order, basket = arena.log.order(), arena.log.basket()
        line = {"sku": name, "quantity": 1, "unit_price": 100}
        found += [
            changed(order, order_id=name),
            changed(order, customer_id=name),
            changed(order, lines=[line]),
            changed(basket, basket_id=name),
            changed(basket, lines=[line]),
            changed(customer(arena, "x", 0), customer_id=name),
            changed(arena.log.returned(json.loads(order.value or b"")), order_id=name),
        ]
    return [Message(m.topic, m.key, m.value, f"{m.event_id}-{i}", m.poison) for i, m in enumerate(found)]


async def all_keys(node: RedisNode) -> list[bytes]:
    """Every key of a server, whosever it is."""
    found: set[str] = set()
    cursor = 0
    while True:
        cursor, keys = await node.ask("SCAN", cursor, "COUNT", 1_000)
        found.update(keys)
        if int(cursor) == 0:
            return sorted(key.encode() for key in found)


async def prove_keys(arena: Arena, cluster: LocalCluster) -> int:
    """Every key of the cluster is of the namespace, of plain letters, and in its tag's slot; how many there are."""
    tags, began = arena.tables.layout.tags, f"{arena.settings.namespace}:".encode()
    slots = {key_slot(f"t{tag:03d}".encode()) for tag in range(tags)} | {key_slot(b"layout")}
    plain = set(b"abcdefghijklmnopqrstuvwxyz0123456789:{}-")
    count = 0
    for node in await cluster.primaries():
        for key in await all_keys(node):
            count += 1
            assert key.startswith(began), key
            assert set(key) <= plain, key
            assert (key.count(b"{"), key.count(b"}")) == (1, 1), key
            assert await node.ask("CLUSTER", "KEYSLOT", key) in slots, key
    return count


def slot_of(name: str, tags: int) -> int:
    """Where the documentation says that all about an id is: by the first four bytes of its digest."""
    tag = int.from_bytes(blake2b(name.encode()).digest()[:4], "big") % tags
    return key_slot(f"t{tag:03d}".encode())


async def prove_places(arena: Arena, cluster: LocalCluster) -> None:
    """The partners of each allowed SKU and the account of each allowed customer lie in the slot of their digest."""
    tags, name = arena.tables.layout.tags, arena.settings.namespace
    for odd in TAKEN:
        digest, slot = blake2b(odd.encode()).digest(), slot_of(odd, tags)
        tag = int.from_bytes(digest[:4], "big") % tags
        for family in (f"co:{digest[:8].hex()}", f"customer:{digest[:16].hex()}"):
            key = f"{name}:v2:{{t{tag:03d}}}:{family}".encode()
            assert key_slot(key) == slot
            assert await (await cluster.owner(key)).ask("EXISTS", key) == 1, (odd, key)


@pytest.mark.fault(37)
@pytest.mark.rotation
async def test_no_id_makes_a_key_outside_its_namespace_or_its_slot(arena: Arena) -> None:
    cluster = await arena.use(local_cluster(node_timeout_ms=10_000))
    await arena.start(redis=cluster.url, workers=1, max_batch=100)
    arena.feed.returns_share = 0.0
    products = [arena.log.product(sku, number) for number, sku in enumerate(TAKEN)]
    await arena.publish([*products, *(customer(arena, name, i) for i, name in enumerate(TAKEN))])
    orders = odd_orders(arena)
    await arena.publish([*orders, *arena.log.step(20, 20), *refused(arena)])
    baskets = [arena.log.basket(skus=[sku], customer=sku) for sku in TAKEN]
    baskets += [arena.log.basket(skus=arena.dice.sample(TAKEN, 4)) for _ in range(20)]
    await arena.publish(baskets)
    await arena.caught_up()
    await arena.publish(
        [arena.log.returned(json.loads(m.value or b"")) for m in arena.dice.sample(orders, 5)]
    )
    await arena.prove()

    arena.measured["keys"] = await prove_keys(arena, cluster)
    answers = [json.loads(r.value or b"{}") for r in await arena.group.read(SUGGESTIONS)]
    asked = Counter(json.loads(m.value or b"{}")["basket_id"] for m in baskets)
    assert asked.keys() <= {answer.get("basket_id") for answer in answers}
    offered = {offer["sku"] for answer in answers for offer in answer.get("offers", ())}
    assert offered & set(TAKEN)


@pytest.mark.fault(37)
async def test_what_is_kept_of_an_odd_id_lies_where_its_digest_says(arena: Arena) -> None:
    cluster = await arena.use(local_cluster(node_timeout_ms=10_000))
    await arena.start(redis=cluster.url, workers=1)
    arena.feed.returns_share = 0.0
    pairs = zip(TAKEN, (*TAKEN[1:], TAKEN[0]), strict=True)
    await arena.publish([arena.log.order(skus=pair, customer=pair[0]) for pair in pairs])
    await arena.prove()

    await prove_places(arena, cluster)
