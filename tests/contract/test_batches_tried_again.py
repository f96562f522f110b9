"""A batch that is tried again, and what expiry may do meanwhile: found by the model (docs/protocol-model.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream.errors import StateUnavailable
from stream.tables.store import Script, Store
from tests.contract.conftest import MakeTables
from tests.contract.orders import FIRST_PANE, TOPIC, counts, order, recount

TAGS = 4


class OneTagDown:
    """The scripts of one name fail for one tag; those of the other tags in the same round trip are done."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name, self.tag = store, name, b""

    async def commands(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """See `Store`."""
        return await self.store.commands(commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        answers = []
        down = [s for s in scripts if s.name == self.name and self.tag and self.tag in s.keys[0]]
        for script in scripts:
            if script not in down:
                answers += await self.store.scripts([script])
        if down:
            raise StateUnavailable("a node is away")
        return answers

    async def close(self) -> None:
        """See `Store`."""


@pytest.mark.parametrize("tag", range(TAGS))
async def test_an_id_used_again_in_the_batch_that_is_retried_takes_nothing_from_its_first_order(
    tables: MakeTables, store: Store, tag: int
) -> None:
    down = OneTagDown(store, "apply")
    made = tables(down, tags=TAGS)
    await made.dictionary.remember("abcdefgh")
    owner = await made.fences.take(TOPIC, 0)
    orders = [order("1", "abcdefgh", day=0), order("1", "abcd", day=9)]
    down.tag = b"{t%03d}" % tag

    with pytest.raises(StateUnavailable):
        await made.orders.place(owner, list(enumerate(orders)))
    down.tag = b""
    await made.orders.place(owner, list(enumerate(orders)))
    owner.handled(1)
    await made.expiry.expire(owner, FIRST_PANE + 9)

    assert await counts(made) == recount(orders[1:])


@pytest.mark.parametrize("tag", range(TAGS))
async def test_expiry_between_two_tries_of_a_batch_passes_no_order_by(
    tables: MakeTables, store: Store, tag: int
) -> None:
    down = OneTagDown(store, "claim")
    made = tables(down, tags=TAGS)
    await made.dictionary.remember("abcdefgh")
    slow, fast = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    await made.orders.place(fast, [(0, order("fast", "ab", day=9))])
    fast.handled(0)
    orders = [order(str(i), "abcdefgh", day=0) for i in range(12)]
    down.tag = b"{t%03d}" % tag

    with pytest.raises(StateUnavailable):
        await made.orders.place(slow, list(enumerate(orders)))
    await made.expiry.expire(slow, FIRST_PANE + 9)
    down.tag = b""
    await made.orders.place(slow, list(enumerate(orders)))
    slow.handled(11)
    await made.expiry.expire(slow, FIRST_PANE + 9)

    assert await counts(made) == recount([order("fast", "ab")])
