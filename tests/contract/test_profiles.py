"""Profiles: those that were sent and not withdrawn."""

from __future__ import annotations

from stream.codec import encode
from stream.events import Consents, CustomerUpdated
from stream.tables.customers import WITHDRAWN
from tests.contract.conftest import MakeTables
from tests.contract.orders import START


async def test_customers_without_a_profile_or_with_a_withdrawn_one_are_left_out(tables: MakeTables) -> None:
    made = tables()
    sent = {
        name: CustomerUpdated(event_id=name, occurred_at=START, customer_id=name, consents=Consents(sms=True))
        for name in ("ann", "bob")
    }
    await made.customers.put(0, [(n, name, encode(event)) for n, (name, event) in enumerate(sent.items())])
    await made.customers.put(0, [(9, "bob", WITHDRAWN)])

    assert await made.customers.profiles({"ann", "bob", "cleo"}) == {"ann": sent["ann"]}
    assert await made.customers.profiles(()) == {}
