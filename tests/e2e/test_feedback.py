"""Feedback through whole workers: each event counts once whatever happens, and what is dismissed stays away."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec

from stream import topics
from stream.channels import BASKETS, FEEDBACK, PRODUCTS
from stream.dead_letters import CODE
from stream.events import BasketUpdated, Line, ProductUpdated, Range, SuggestionFeedback
from stream.publisher import Outgoing
from stream.rebuild import rebuild
from stream.suggestion import Suggestion
from stream.tables.dump import dump_rows
from stream.verification.verify import verify_tables
from tests.e2e.shop import PATIENCE_S, POLL_S, Shop

NOW = datetime.now(UTC) - timedelta(minutes=10)
TOKENS = ["upsell|25|gold|phones", "upsell|50|none|phones", "cross_sell|-|none|cases", "threshold|-|none|"]
ACTIONS = ["shown", "shown", "shown", "clicked", "added", "dismissed"]


def feedback(ident: int, action: str, token: str | None, **more: str) -> SuggestionFeedback:
    return SuggestionFeedback(
        event_id=f"feedback-{ident}",
        occurred_at=NOW,
        channel="web",
        suggestion_id=f"suggestion-{ident % 97}",
        offer_id=f"offer-{ident}",
        action=action,  # type: ignore[arg-type]
        token=token,
        **more,
    )


def random_feedback(number: int, seed: int) -> list[SuggestionFeedback]:
    dice = random.Random(seed)
    return [
        feedback(i, dice.choice(ACTIONS), dice.choice([*TOKENS, None]), sku=f"sku-{i % 5}", customer_id="ann")
        for i in range(number)
    ]


def raw(event: SuggestionFeedback, **changed: object) -> Outgoing:
    body = {**msgspec.json.decode(msgspec.json.encode(event)), **changed}
    return Outgoing(event.suggestion_id.encode(), msgspec.json.encode(body))


async def counted(shop: Shop) -> dict[tuple[str, str], int]:
    tables = shop.tables()
    try:
        rows = [row async for row in dump_rows(tables) if row["table"] == "acceptance"]
    finally:
        await tables.close()
    return {(row["token"], row["action"]): row["count"] for row in rows}


async def test_a_worker_killed_three_times_counts_every_feedback_once_though_shops_send_some_again(
    shop: Shop,
) -> None:
    dice, events = random.Random(3), random_feedback(3_000, seed=3)
    expected = Counter((event.token, event.action) for event in events if event.token is not None)
    again = [event for event in events if dice.random() < 0.2]
    repeats = sum(event.token is not None for event in again)
    sent = dice.sample(events + again, len(events) + len(again))
    await shop.publish(FEEDBACK, sent)
    for _ in range(3):
        worker = await shop.start_worker(max_batch="50")
        goal = dice.randint(1, 300) + sum((await counted(shop)).values())
        while sum((await counted(shop)).values()) < goal:
            assert worker.process.returncode is None, worker.log.read_text()
        await worker.end(signal.SIGKILL)

    last = await shop.start_worker()
    await shop.caught_up(topics.SUGGESTION_FEEDBACK)
    assert await counted(shop) == expected

    await last.end()
    tables = shop.tables()
    report = await verify_tables(shop.settings, dump_rows(tables))
    assert report.equal, report.first
    assert (report.feedback, report.repeated_feedback) == (len(sent), repeats)
    assert report.agreeing["acceptance"] == len(expected)

    await rebuild(shop.settings, tables)
    await tables.close()
    await shop.start_worker()
    await shop.caught_up(topics.SUGGESTION_FEEDBACK)
    assert await counted(shop) == expected


async def test_broken_feedback_is_buried_and_its_neighbours_count(shop: Shop) -> None:
    good = [feedback(i, "shown", TOKENS[0]) for i in range(20)]
    one = feedback(99, "shown", TOKENS[0])
    broken = {
        "TOKEN_UNKNOWN": [
            raw(one, token=token) for token in ("", "upsell", "upsell|11|gold|x", "resale|-|a|b")
        ],
        "SCHEMA": [
            raw(one, action="laughed"),
            raw(one, token=7),
            raw(one, sku=""),
            raw(one, token="x" * 513),
        ],
        "KEY_MISMATCH": [Outgoing(b"another", msgspec.json.encode(one))],
        "FUTURE_TIME": [raw(one, occurred_at="2099-01-01T00:00:00Z")],
        "NOT_JSON": [Outgoing(one.suggestion_id.encode(), b"{")],
        "EMPTY_VALUE": [Outgoing(one.suggestion_id.encode(), None)],
    }
    letters = [letter for some in broken.values() for letter in some]
    mixed = [raw(event) for event in good]
    for at, letter in enumerate(letters):
        mixed.insert(2 * at, letter)
    await shop.publish_raw(topics.SUGGESTION_FEEDBACK, mixed)

    worker = await shop.start_worker()
    await shop.caught_up(topics.SUGGESTION_FEEDBACK)
    await worker.end()

    buried = await shop.read_all(topics.dead_letter_topic(topics.SUGGESTION_FEEDBACK))
    codes = Counter(dict(letter.headers)[CODE].decode() for letter in buried)
    assert codes == {code: len(some) for code, some in broken.items()}
    assert await counted(shop) == {(TOKENS[0], "shown"): 20}
    tables = shop.tables()
    report = await verify_tables(shop.settings, dump_rows(tables))
    await tables.close()
    assert report.equal, report.first


def basket(ident: str, customer: str | None = None) -> BasketUpdated:
    return BasketUpdated(
        event_id=f"event-{ident}",
        occurred_at=NOW,
        channel="web",
        basket_id=ident,
        currency="EUR",
        customer_id=customer,
        lines=[Line("phone", 1, 10_00)],
    )


def rung(sku: str, number: int, price: int) -> ProductUpdated:
    return ProductUpdated(
        event_id=f"product-{sku}",
        occurred_at=NOW,
        sku=sku,
        title=sku,
        kind="physical",
        category=["phones"],
        price=price,
        currency="EUR",
        range=Range("phones", number),
    )


async def test_what_a_basket_or_a_customer_dismissed_is_not_offered_to_them_again(shop: Shop) -> None:
    await shop.start_worker(cache_age_s="0")
    await shop.publish(
        PRODUCTS, [rung("phone", 1, 10_00), rung("phone-2", 2, 12_00), rung("phone-3", 3, 14_00)]
    )
    await shop.caught_up(topics.PRODUCT_UPDATED)
    await shop.publish(BASKETS, [basket("b-1", "ann")])
    await shop.caught_up(topics.BASKET_UPDATED)
    [first] = await answers(shop)
    [offer] = first.offers
    assert (offer.sku, offer.token) == ("phone-2", "upsell|25|none|phones")

    said = feedback(1, "dismissed", offer.token, sku="phone-2", basket_id="b-1", customer_id="ann")
    await shop.publish(FEEDBACK, [said])
    await shop.caught_up(topics.SUGGESTION_FEEDBACK)
    again = [basket("b-1"), basket("b-2", "ann"), basket("b-3")]
    again = [msgspec.structs.replace(one, event_id=f"{one.event_id}-again") for one in again]
    await shop.publish(BASKETS, again)
    await shop.caught_up(topics.BASKET_UPDATED)

    later = {one.basket_id: one for one in await answers(shop) if one.cause.event_id.endswith("again")}
    assert [offer.sku for offer in later["b-1"].offers] == ["phone-3"]
    assert [offer.sku for offer in later["b-2"].offers] == ["phone-3"]
    assert [offer.sku for offer in later["b-3"].offers] == ["phone-2"]
    assert ("phone-2", "DISMISSED") in [(one.sku, one.code) for one in later["b-2"].suppressed]
    assert await counted(shop) == {("upsell|25|none|phones", "dismissed"): 1}


async def answers(shop: Shop) -> list[Suggestion]:
    records = await shop.read_all(topics.SUGGESTIONS)
    return [msgspec.json.decode(record.value, type=Suggestion) for record in records]


async def test_moves_of_baskets_are_noted_and_offers_say_what_they_are_expected_to_bring(shop: Shop) -> None:
    await shop.start_worker(cache_age_s="0")
    await shop.publish(PRODUCTS, [rung("phone", 1, 10_00), rung("phone-2", 2, 12_00)])
    await shop.caught_up(topics.PRODUCT_UPDATED)
    taken = "upsell|25|none|phones"
    await shop.publish(FEEDBACK, [feedback(i, "added" if i % 2 else "shown", taken) for i in range(400)])
    better = msgspec.structs.replace(basket("b-1"), event_id="better", lines=[Line("phone-2", 1, 12_00)])
    await shop.publish(BASKETS, [basket("b-1")])
    await shop.publish(BASKETS, [better])
    await shop.caught_up(topics.SUGGESTION_FEEDBACK, topics.BASKET_UPDATED)

    tables = shop.tables()
    moves: dict[str, int] = {}
    async with asyncio.timeout(PATIENCE_S):
        while len(moves) < 2:
            for _, fields in (await tables.acceptance.read()).moves.values():
                moves |= fields
            await asyncio.sleep(POLL_S)
    await tables.close()
    assert moves == {"h1:25|none|phones": 1, "u1:25|none|phones": 1}

    offers, number = [], 0
    async with asyncio.timeout(PATIENCE_S):
        while not offers:  # a worker looks at what was counted every few seconds
            number += 1
            await shop.publish(BASKETS, [basket(f"later-{number}")])
            await shop.caught_up(topics.BASKET_UPDATED)
            made = [offer for one in await answers(shop) for offer in one.offers]
            offers = [offer for offer in made if offer.expected_value is not None]
    assert (offers[0].expected_value or 0) > 150
    assert offers[0].reason.evidence["accepted"] == offers[0].reason.evidence["shown"] == 200
