"""explain, what-if and replay --what-if, as an operator calls them, over a worker's own log and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream import topics
from stream.channels import BASKETS, ORDERS, PRODUCTS
from stream.codec import encode
from tests.e2e.shop import Shop
from tests.e2e.test_worker import basket, order, product, suggestions


async def test_a_suggestion_is_explained_and_another_policy_tried(shop: Shop, tmp_path: Path) -> None:
    await shop.start_worker(cache_age_s="0")
    await shop.publish(PRODUCTS, [product("case", 10_00, 1), product("case-pro", 14_00, 2, lined=True)])
    await shop.publish(ORDERS, [order(i, "case", "phone") for i in range(4)] + [order(9, "tea")])
    await shop.caught_up(topics.PRODUCT_UPDATED, topics.ORDER_PLACED)
    await shop.publish(BASKETS, [basket(1, "case"), basket(1, "case", "phone")])
    await shop.caught_up(topics.BASKET_UPDATED)
    first = (await suggestions(shop))[0]
    file, policy = tmp_path / "basket.json", tmp_path / "policy.toml"
    file.write_bytes(encode(basket(2, "case")))
    policy.write_text('bans = ["case-pro"]')

    explained = json.loads(await shop.command("explain", first.suggestion_id, "--json"))
    tried = json.loads(
        await shop.command("what-if", "--basket", str(file), "--policy", str(policy), "--json")
    )
    compared = json.loads(await shop.command("replay", "--what-if", str(policy), "--json"))
    told = [
        await shop.command("explain", first.suggestion_id),
        await shop.command("what-if", "--basket", str(file)),
        await shop.command("replay", "--what-if", str(policy)),
    ]

    assert explained["suggestion"]["suggestion_id"] == first.suggestion_id
    assert explained["question"]["basket_id"] == "basket-1"
    assert explained["unchanged"] is True
    assert fates(explained["today"]["candidates"]) == {"phone": "OFFERED"}
    assert explained["today"]["candidates"][0]["voices"][0]["together"] == 4
    assert fates(tried["candidates"]) == {"phone": "OFFERED"}
    assert fates(tried["rungs"]) == {"case-pro": "BANNED"}
    assert (compared["baskets"], compared["changed"]) == (2, 2)
    assert compared["lost"] == {"case-pro": 2}
    assert compared["before"]["offers"] == {"cross_sell": 1, "upsell": 2}
    assert compared["after"]["offers"] == {"cross_sell": 1}
    assert compared["after"]["silent"] == 1
    assert (compared["before"]["taken"], compared["after"]["taken"]) == (1, 1)
    assert all("phone" in text for text in told[:2])
    assert "2 baskets, 2 answered differently" in told[2]


def fates(entries: list[dict[str, Any]]) -> dict[str, str]:
    return {entry["sku"]: entry["fate"] for entry in entries}


async def test_what_cannot_be_explained_says_why(shop: Shop, tmp_path: Path) -> None:
    await shop.start_worker()
    await shop.publish(BASKETS, [basket(1, "case")])
    await shop.caught_up(topics.BASKET_UPDATED)
    broken = tmp_path / "broken.json"
    broken.write_text("{}")

    unknown = await shop.command("explain", "no-such-id", fails=True)
    unusable = await shop.command("what-if", "--basket", str(broken), fails=True)

    assert "None of the 1 suggestions" in unknown
    assert "is no basket-updated event" in unusable
