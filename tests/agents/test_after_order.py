"""Orders are answered: whose, under which ids and keys, and what a repeated batch does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from stream.agents.after_order import Answered, answer_orders
from stream.agents.wiring import Wiring
from stream.codec import encode, occurred_ms
from stream.decisions.policy import Policy
from stream.errors import StateUnavailable
from stream.events import Consents, CustomerErased, CustomerUpdated, OrderLine, OrderPlaced
from stream.identity import suggestion_id
from stream.intake import Received
from stream.ops.tally import Tally
from stream.publisher import Outgoing
from stream.settings import load_settings
from stream.suggestion import Suggestion
from stream.tables.dismissal_reader import DismissalReader
from stream.tables.memory_store import MemoryStore
from stream.tables.orders import Verdict
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from tests.kafka_records import kafka_record

TOPIC = "order-placed"
DAY = datetime(2026, 3, 1, tzinfo=UTC)


class Till:
    """A publisher that keeps what it is given, after failing so many times."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.failures = 0

    async def publish(self, topic: str, messages: list[Outgoing]) -> None:
        assert topic == "suggestions"
        if self.failures:
            self.failures -= 1
            raise StateUnavailable("Kafka is away")
        self.sent += messages

    @property
    def answers(self) -> dict[str, Suggestion]:
        """What was sent, by order."""
        found = [msgspec.json.decode(message.value or b"", type=Suggestion) for message in self.sent]
        assert len({one.order_id for one in found}) == len(found)
        return {one.order_id or "": one for one in found}


@pytest.fixture
async def tables() -> Tables:
    """Tables that know one customer who agreed to e-mail and one who agreed to nothing."""
    made = Tables(MemoryStore(), load_settings({}, tags=4))
    profiles = [("willing", Consents(email=True)), ("unwilling", Consents())]
    await made.customers.put(
        0,
        [
            (
                offset,
                name,
                encode(CustomerUpdated(event_id=name, occurred_at=DAY, customer_id=name, consents=said)),
            )
            for offset, (name, said) in enumerate(profiles)
        ],
    )
    return made


def wiring(tables: Tables, till: Till) -> Wiring:
    """As much of a worker as answering takes."""
    parts: dict[str, Any] = dict.fromkeys(("dead_letters", "positions", "shell", "announcer", "basket_moves"))
    return Wiring(
        topic_prefix="",
        default_tier="none",
        tables=tables,
        views=ViewReader(tables, Policy(), max_age_s=0.0),
        publisher=till,  # type: ignore[arg-type]
        tally=Tally(),
        dismissed=DismissalReader(tables, max_age_s=0.0),
        **parts,
    )


def placed(name: str, customer: str | None, offset: int = 0, event_id: str = "e") -> Received[OrderPlaced]:
    event = OrderPlaced(
        event_id=event_id,
        occurred_at=DAY,
        channel="web",
        order_id=name,
        currency="EUR",
        customer_id=customer,
        lines=[OrderLine("tea", 1, 400)],
    )
    return Received(event, occurred_ms(DAY), kafka_record(TOPIC, name.encode(), b"", offset=offset))


@pytest.mark.parametrize(
    ("answered", "keys"),
    [
        ("none", []),
        ("consented", [b"willing"]),
        ("all", [b"willing", b"unwilling", b"stranger", b"o4"]),
    ],
)
async def test_the_setting_says_whose_orders_are_answered(
    tables: Tables, answered: Answered, keys: list[bytes]
) -> None:
    till = Till()
    names = ("willing", "unwilling", "stranger", None)
    orders = [(placed(f"o{n}", name, n), Verdict.COUNTED) for n, name in enumerate(names, 1)]

    await answer_orders(wiring(tables, till), orders, answered)

    assert [message.key for message in till.sent] == keys


async def test_an_answer_names_the_order_and_is_of_use_for_a_day(tables: Tables) -> None:
    till = Till()

    await answer_orders(wiring(tables, till), [(placed("o1", "willing", 7), Verdict.COUNTED)], "consented")

    answer = till.answers["o1"]
    assert (answer.timing, answer.customer_id, answer.basket_id) == ("post_purchase", "willing", None)
    assert answer.suggestion_id == suggestion_id(TOPIC, "o1", "e", occurred_ms(DAY))
    assert (answer.cause.topic, answer.cause.offset) == (TOPIC, 7)
    assert (answer.valid_until - answer.occurred_at).days == 1


async def test_only_what_was_counted_is_answered(tables: Tables) -> None:
    till = Till()
    orders = [(placed(verdict.value, "willing", n), verdict) for n, verdict in enumerate(Verdict)]

    await answer_orders(wiring(tables, till), orders, "consented")

    assert list(till.answers) == ["counted"]


async def test_a_batch_again_answers_what_was_counted_from_it_under_the_same_ids(tables: Tables) -> None:
    till = Till()
    first, twice = placed("o1", "willing", 3), placed("o1", "willing", 4, event_id="again")
    owner = await tables.fences.take(TOPIC, 0)
    verdicts = (
        await tables.orders.place(owner, [(r.record.offset, r.event) for r in (first, twice)])
    ).verdicts
    assert verdicts == [Verdict.COUNTED, Verdict.DUPLICATE]
    till.failures = 1
    with pytest.raises(StateUnavailable):
        await answer_orders(wiring(tables, till), zip((first, twice), verdicts, strict=True), "consented")

    await answer_orders(
        wiring(tables, till), [(first, Verdict.REPLAYED), (twice, Verdict.REPLAYED)], "consented"
    )

    assert list(till.answers) == ["o1"]
    assert till.answers["o1"].cause.offset == 3


async def test_an_order_whose_customer_was_erased_is_not_answered_again(tables: Tables) -> None:
    till, gone, other = Till(), placed("o1", "willing", 1), placed("o2", None, 2)
    owner = await tables.fences.take(TOPIC, 0)
    await tables.orders.place(owner, [(r.record.offset, r.event) for r in (gone, other)])
    eraser = await tables.fences.take("customer-erased", 0)
    asked = CustomerErased(event_id="erase", occurred_at=DAY, customer_id="willing")
    end, now_ms = tables.window.pane_of(occurred_ms(DAY)), occurred_ms(DAY)
    await tables.erasures.erase(eraser, [(0, asked)], end, now_ms)

    replayed = [(gone, Verdict.REPLAYED), (other, Verdict.REPLAYED)]
    await answer_orders(wiring(tables, till), replayed, "all")

    assert list(till.answers) == ["o2"]
