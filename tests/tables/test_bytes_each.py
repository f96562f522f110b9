"""`tables stats` on a real Redis: what a pair and a customer cost, on either side of the packed lists."""

from __future__ import annotations

import pytest

from stream.settings import load_settings
from stream.tables import inspection
from stream.tables.inspection import bytes_each, long_lists, stats
from stream.tables.redis_store import RedisStore
from stream.tables.tables import Tables
from tests.contract.feedback import FEEDBACK, some
from tests.contract.orders import TOPIC, order

PARTNERS = 200


async def sold(redis_url: str, partners_an_order: int, orders: int) -> tuple[Tables, dict[str, float]]:
    """A SKU sold with ever new partners; the bytes each thing costs."""
    made = Tables(RedisStore(redis_url), load_settings({}, tags=4))
    owner = await made.fences.take(TOPIC, 0)
    batch = [
        order(str(i), ["hot", *(f"p{i}-{j}" for j in range(partners_an_order))], customer=f"customer-{i:06d}")
        for i in range(orders)
    ]
    await made.dictionary.remember({line.sku for placed in batch for line in placed.lines})
    await made.orders.place(owner, list(enumerate(batch)))
    return made, bytes_each(await stats(made))


async def test_packed_pairs_cost_little_and_a_customer_half_a_kilobyte(redis_url: str) -> None:
    made, each = await sold(redis_url, 40, 3)

    assert set(each) == {"pair", "customer", "diary", "order", "sku"}
    assert 14 < each["pair"] < 30
    assert 200 < each["customer"] < 900
    # 13 bytes a purchase, and what Redis keeps ready for more.
    assert 41 * 13 < each["diary"] < 2 * 41 * 13 + 150
    assert (await long_lists(made))["long"] == 0
    await made.close()


async def test_a_list_too_long_to_be_packed_is_counted_as_such(redis_url: str) -> None:
    made, each = await sold(redis_url, 2, PARTNERS)

    lists = await long_lists(made)

    assert (lists["long"], lists["pairs_in_long"]) == (1, 2 * PARTNERS)
    assert each["pair"] > 30
    await made.close()


async def test_of_many_keys_some_are_measured(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, each = await sold(redis_url, 40, 3)
    monkeypatch.setattr(inspection, "MOST_MEASURED", 20)

    sampled = bytes_each(await stats(made))

    assert sampled["pair"] == pytest.approx(each["pair"], rel=0.3)
    await made.close()


async def test_ids_of_feedback_are_a_family_of_their_own(redis_url: str) -> None:
    made = Tables(RedisStore(redis_url), load_settings({}, tags=4))
    for partition in (0, 1):
        await made.acceptance.count(await made.fences.take(FEEDBACK, partition), some(partition))

    family = (await stats(made))["heard"]

    assert (family["keys"], family["entries"]) == (2, 120)
    await made.close()
