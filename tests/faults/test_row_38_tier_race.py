"""Row 38: a customer's tier changes while their baskets are answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.faults.arena import Arena
from tests.faults.load import BASKETS, Message, message
from tests.faults.proof import SUGGESTIONS

TIERS = ("none", "bronze", "silver", "gold", "platinum")
CUSTOMERS = [f"riser-{i}" for i in range(8)]


@pytest.mark.fault(38)
async def test_an_answer_carries_the_tier_it_was_made_with_and_can_be_made_again(arena: Arena) -> None:
    # Weights are fitted beside the agents, at a time of their own: they would change the tables at rest.
    await arena.start(workers=2, cache_age_s=0, fit_weights=False)
    await arena.publish([_basket(arena, c) for c in CUSTOMERS])
    await arena.caught_up()
    for _ in range(40):
        await arena.publish([_order(arena, c) for c in CUSTOMERS] + [_basket(arena, c) for c in CUSTOMERS])
    await arena.prove(duplicates=0)
    tiers = await _tiers(arena)
    for customer, seen in tiers.items():
        assert seen[0] == "none", customer
        assert seen == sorted(seen, key=TIERS.index), "a tier that only rises never falls in the answers"

    rest = [_basket(arena, c) for c in CUSTOMERS]
    places = await arena.publish(rest)
    await arena.caught_up()
    await asyncio.gather(*(arena.stop_worker(worker) for worker in arena.running()))
    original = await _answers(arena, places)
    rows = arena.reference.rows()
    for values in original.values():
        answer = json.loads(values[0])
        assert answer["tier"] in rows["customer", answer["customer_id"]][-1]
    # The first answers were made before what the baskets themselves say of moves within a range was counted.
    for number in (1, 2, 3):
        before = len(await arena.group.read(SUGGESTIONS))
        worker = await arena.start_worker(BASKETSTREAM_GROUP=f"{arena.settings.group}-{number}")
        baskets = len(await arena.group.read(BASKETS))
        async with asyncio.timeout(150):
            while len(await arena.group.read(SUGGESTIONS)) < before + baskets:
                assert worker.running, worker.said()[-3000:]
                await asyncio.sleep(0.3)
        await arena.stop_worker(worker)
    for place, values in (await _answers(arena, places)).items():
        assert values[0] in original[place]
        assert len(values) == 4
        assert len(set(values[1:])) == 1, "the same tables make the same answer, to the byte"


def _order(arena: Arena, customer: str) -> Message:
    return arena.log.order(customer=customer)


def _basket(arena: Arena, customer: str) -> Message:
    """A customer's baskets all stand in one partition, so their answers have an order."""
    event = json.loads(arena.log.basket(customer=customer).value or b"")
    event["basket_id"] = f"basket-of-{customer}"
    return message(BASKETS, event["basket_id"], event)


async def _tiers(arena: Arena) -> dict[str, list[str]]:
    """The tiers each customer's answers carry, in the order of their baskets."""
    found: dict[str, list[str]] = {}
    for answer in sorted(await _published(arena), key=lambda answer: answer["cause"]["offset"]):
        if "customer_id" in answer:
            found.setdefault(answer["customer_id"], []).append(answer["tier"])
    return found


async def _published(arena: Arena) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in await arena.group.read(SUGGESTIONS)]


async def _answers(arena: Arena, places: list[tuple[int, int]]) -> dict[tuple[int, int], list[bytes]]:
    """The bytes of all answers to the baskets at these places."""
    found: dict[tuple[int, int], list[bytes]] = {place: [] for place in places}
    for record in await arena.group.read(SUGGESTIONS):
        value = record.value or b""
        cause = json.loads(value)["cause"]
        place = (cause["partition"], cause["offset"])
        if place in found:
            found[place].append(value)
    return found
