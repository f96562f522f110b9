"""Claims say which record's order was counted."""

from __future__ import annotations

from tests.contract.conftest import MakeTables
from tests.contract.orders import TOPIC, order


async def test_the_first_record_of_an_order_holds_its_claim_and_a_late_one_has_none(
    tables: MakeTables,
) -> None:
    made = tables()
    first, second = await made.fences.take(TOPIC, 0), await made.fences.take(TOPIC, 1)
    await made.orders.place(first, [(3, order("1", "ab")), (4, order("2", "a", day=9)), (5, order("3", "a"))])
    await made.orders.place(second, [(8, order("1", "ab"))])

    found = await made.claims.placed_at(["2", "1", "never", "3", "1"])

    assert found == [(0, 4), (0, 3), None, None, (0, 3)]
    assert await made.claims.placed_at([]) == []
