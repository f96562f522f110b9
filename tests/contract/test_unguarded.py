"""What is undone of an order stays undone although no fence of a tag that lost it calls for it again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from stream.errors import StateUnavailable
from stream.settings import load_settings
from stream.tables.ids import customer_id, order_id, sku_id, tag_of
from stream.tables.memory_store import MemoryStore
from stream.tables.returns import Outcome
from stream.tables.tables import Tables
from tests.contract.orders import FIRST_PANE, TOPIC, counts, erased, order, recount, returned, rows, take_back

RETURNS = "order-returned"
TAGS = 3
Tag = dict[bytes, Any]


class Nodes:
    """Tables whose tags each lie on a node of their own, that may go back."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.tables = Tables(
            self.store, load_settings({}, tags=TAGS, window_panes=3, customer_window_panes=5)
        )

    def tag(self, tag: int) -> Tag:
        """All that a tag holds."""
        prefix = self.tables.keys.prefix(tag)
        return deepcopy({key: value for key, value in self.store.data.items() if key.startswith(prefix)})

    def go_back(self, tag: int, then: Tag) -> None:
        """Have a tag hold what it held then."""
        for key in self.tag(tag):
            del self.store.data[key]
        self.store.data |= deepcopy(then)

    def notes(self) -> list[bytes]:
        """The orders noted as unguarded."""
        keys = [self.tables.keys.unguarded(tag) for tag in range(TAGS)]
        return [member for key in keys for member in self.store.data.get(key, ())]


WHO = next(
    name
    for name in ("ann", "bob", "cid", "dee")
    if tag_of(customer_id(name), TAGS) == tag_of(sku_id("c"), TAGS)
)
ORDER, OWN, OTHER = "9", tag_of(order_id("9"), TAGS), tag_of(sku_id("c"), TAGS)


async def lost_by_its_own_tag_while_another_counted_it(nodes: Nodes) -> None:
    """An order "cfd" of which only the tag with its record lost everything."""
    made = nodes.tables
    await made.dictionary.remember("cfd")
    before = nodes.tag(OWN)
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order(ORDER, "cfd", customer=WHO))])
    nodes.go_back(OWN, before)
    assert OWN != OTHER


@pytest.mark.parametrize("undo", ["return", "erasure"])
async def test_what_waited_for_an_order_read_again_is_taken_again_from_a_tag_that_loses_it(undo: str) -> None:
    nodes = Nodes()
    made = nodes.tables
    await lost_by_its_own_tag_while_another_counted_it(nodes)
    if undo == "return":
        source = await made.fences.take(RETURNS, 0)
        await take_back(made, source, 0, returned(ORDER, "c"))
    else:
        source = await made.fences.take("customer-erased", 0)
        await made.erasures.erase(source, [(0, erased(WHO, day=0.5))], FIRST_PANE, 0)
    await made.fences.move(source, 0, source.watermark)
    waiting = nodes.tag(OTHER)
    owner = await made.fences.take(TOPIC, 0)
    await made.orders.place(owner, [(0, order(ORDER, "cfd", customer=WHO))])

    nodes.go_back(OTHER, waiting)
    owner, source = await made.fences.take(TOPIC, 0), await made.fences.take(source.topic, 0)
    assert (owner.lowest_fence, source.lowest_fence) == (0, 0)  # nothing is read again
    owner.position = 0
    settled = [await made.orders.undoing.settle_unguarded(owner, now_s=s, durable_after_s=10) for s in (0, 9)]

    assert settled == [1, 0]
    assert await counts(made) == recount([order(ORDER, "fd")] if undo == "return" else [])
    spend = {row["customer_id"]: row["spend"] for row in await rows(made, "customer")}
    assert spend == ({WHO: {"EUR": 2_00}} if undo == "return" else {})
    assert len(nodes.notes()) == 1
    await made.orders.undoing.settle_unguarded(owner, now_s=10, durable_after_s=10)
    assert nodes.notes() == []


async def test_a_return_read_again_is_taken_again_from_a_tag_that_loses_it() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    nothing = nodes.tag(OWN)
    await lost_by_its_own_tag_while_another_counted_it(nodes)
    back = await made.fences.take(RETURNS, 0)
    await take_back(made, back, 0, returned(ORDER, "c"))
    await made.fences.move(back, 0, back.watermark)
    nodes.go_back(OWN, nothing)  # the return that waited is lost as well
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order(ORDER, "cfd", customer=WHO))])
    whole = nodes.tag(OTHER)
    taken = await take_back(made, back, 0, returned(ORDER, "c"))
    await made.fences.move(back, 0, back.watermark)

    nodes.go_back(OTHER, whole)
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    assert (owner.lowest_fence, back.lowest_fence) == (0, 0)
    owner.position = 0
    await made.orders.undoing.settle_unguarded(owner)

    assert taken == Outcome.TAKEN
    assert await counts(made) == recount([order(ORDER, "fd")])


async def test_an_erasure_waits_for_returns_that_a_tag_had_before_it_and_the_record_lost() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order(ORDER, "cfd", customer=WHO))])
    placed = nodes.tag(OWN)
    await made.returns.take_back(back, [(0, returned(ORDER, "c"))])
    eraser = await made.fences.take("customer-erased", 0)
    taken = nodes.tag(OTHER)
    await made.erasures.erase(eraser, [(0, erased(WHO, day=0.5))], FIRST_PANE, 0)
    nodes.go_back(OWN, placed)
    back, eraser = await made.fences.take(RETURNS, 0), await made.fences.take("customer-erased", 0)

    with pytest.raises(StateUnavailable, match="1 returns of it to be read again"):
        await made.erasures.erase(eraser, [(0, erased(WHO, day=0.5))], FIRST_PANE, 0)
    nodes.go_back(OTHER, taken)
    back, eraser = await made.fences.take(RETURNS, 0), await made.fences.take("customer-erased", 0)
    await made.returns.take_back(back, [(0, returned(ORDER, "c"))])
    await made.erasures.erase(eraser, [(0, erased(WHO, day=0.5))], FIRST_PANE, 0)

    assert await counts(made) == ({}, {})
    assert await rows(made, "customer") == []


async def test_what_is_read_for_the_first_time_needs_no_note() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await take_back(made, back, 0, returned("early", "c"))
    await made.orders.place(owner, [(0, order("early", "cf")), (1, order("on time", "cd"))])
    await take_back(made, back, 1, returned("on time", "c"))

    assert nodes.notes() == []


async def test_the_note_of_an_order_whose_pane_is_dropped_goes() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    await made.store.commands([("SADD", made.keys.unguarded(OWN), f"0:7:{FIRST_PANE}:")])
    owner = await made.fences.take(TOPIC, 0)

    await made.orders.undoing.settle_unguarded(owner)
    assert len(nodes.notes()) == 1  # the order may still have to be read again
    owner.handled(7)
    await made.orders.undoing.settle_unguarded(owner)

    assert nodes.notes() == []


async def test_a_pane_that_comes_back_with_its_tag_is_not_undone_once_more() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    first = [order(ORDER, "cfd"), order("later", "cf", day=9)]
    await made.orders.place(owner, list(enumerate(first)))
    owner.handled(1)
    await take_back(made, back, 0, returned(ORDER, "c"))
    logged = nodes.tag(OWN)
    await made.expiry.expire(owner, FIRST_PANE + 9)
    assert [key for key in nodes.store.data if b"pane:" in key and str(FIRST_PANE).encode() in key] == []

    returns_again = {key: value for key, value in logged.items() if b":pane:" in key or b":claims" in key}
    nodes.store.data |= returns_again
    await take_back(made, await made.fences.take(RETURNS, 0), 0, returned(ORDER, "c"))

    assert await counts(made) == recount(first[1:])


async def test_marks_of_what_is_undone_go_with_those_of_their_pane() -> None:
    nodes = Nodes()
    made = nodes.tables
    await made.dictionary.remember("cfd")
    owner, back = await made.fences.take(TOPIC, 0), await made.fences.take(RETURNS, 0)
    await made.orders.place(owner, [(0, order(ORDER, "cfd"))])
    await take_back(made, back, 0, returned(ORDER, "c"))
    held = []
    for number, day in enumerate((9, 12, 20, 30), 1):
        await made.orders.place(owner, [(number, order(str(number), "cf", day=day))])
        owner.handled(number)
        await made.expiry.expire(owner, FIRST_PANE + day)
        held.append(any(b":undone:" in key for key in nodes.store.data))

    assert held == [True, True, False, False]
