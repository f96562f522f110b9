"""Bytes to events: what is taken, what is refused, and with which code."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.channels import BASKETS, CHANNELS, ORDERS, Channel
from stream.codec import MAX_CLOCK_SKEW_MS, check_time, decode, encode, key_id, occurred_ms
from stream.errors import PoisonEvent
from stream.events import BasketUpdated, Line, ProductUpdated
from stream.fields import MAX_RECORD_BYTES
from stream.intake import receive, receive_all
from tests.broken_records import BROKEN, ODD_IDS, Broken, basket, json_bytes, line, order
from tests.kafka_records import RECORD_TIME_MS, kafka_record

CHANNEL_OF = {channel.topic: channel for channel in CHANNELS}
INCOMING = [channel for channel in CHANNELS if channel.direction == "receive"]
EVERY_BROKEN = [
    pytest.param(CHANNEL_OF[topic], broken, id=f"{topic}: {name}")
    for topic, records in BROKEN.items()
    for name, broken in records.items()
]


def refusal(channel: Channel, key: bytes | None, value: bytes | None, **place: object) -> PoisonEvent:
    with pytest.raises(PoisonEvent) as refused:
        receive(channel, kafka_record(channel.topic, key, value, **place))
    return refused.value


@pytest.mark.parametrize(("channel", "broken"), EVERY_BROKEN)
def test_every_broken_record_is_refused_with_its_code(channel: Channel, broken: Broken) -> None:
    error = refusal(channel, broken.key, broken.value)

    assert error.code == broken.code
    assert error.path
    assert len(error.problem) < 200


def test_there_are_broken_records_of_every_kind() -> None:
    codes = {broken.code for records in BROKEN.values() for broken in records.values()}

    assert min(len(records) for records in BROKEN.values()) >= 30
    assert codes == {
        "EMPTY_VALUE", "TOO_LARGE", "NOT_UTF8", "NOT_JSON", "NOT_AN_OBJECT", "SCHEMA", "NESTED_TOO_DEEP",
        "KEY_MISSING", "KEY_MISMATCH", "FUTURE_TIME", "PAST_TIME",
    }  # fmt: skip


def test_a_broken_record_does_not_harm_its_neighbours() -> None:
    good = kafka_record(BASKETS.topic, b"b-1", json_bytes(basket()))
    bad = [kafka_record(BASKETS.topic, broken.key, broken.value) for broken in BROKEN[BASKETS.topic].values()]
    mixed = [good, *(record for pair in zip(bad, [good] * len(bad), strict=True) for record in pair)]

    received, letters = receive_all(BASKETS, mixed)

    assert [letter.record for letter in letters] == bad
    assert len(received) == len(bad) + 1
    assert {event.basket_id for event, _, _ in received} == {"b-1"}


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
def test_an_odd_id_is_taken_as_it_is(odd: str, ascii_only: bool) -> None:
    body = order(odd, lines=[line(sku=odd)], customer_id=odd, event_id=odd)
    raw = json.dumps(body, ensure_ascii=ascii_only).encode()

    event = receive(ORDERS, kafka_record(ORDERS.topic, odd.encode(), raw)).event

    assert (event.order_id, event.lines[0].sku, event.customer_id, event.event_id) == (odd, odd, odd, odd)
    assert decode(ORDERS.event_type, encode(event)) == event
    assert key_id(odd.encode()) == odd


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (basket(lines=[line(), line(sku="a\x00")]), "$.lines[1].sku"),
        (basket(lines=[line(quantity=0)]), "$.lines[0].quantity"),
        (basket(customer_id="\x7f"), "$.customer_id"),
        (basket(limits={"exclude_skus": ["ok", "\n"]}), "$.limits.exclude_skus[1]"),
        (basket(event_id=...), "$"),
    ],
)
def test_a_refusal_names_the_place(body: object, path: str) -> None:
    assert refusal(BASKETS, b"b-1", json_bytes(body)).path == path


def test_a_refusal_does_not_repeat_what_the_record_holds() -> None:
    body = {
        "event_id": "e", "occurred_at": "2024-03-01T09:30:00Z", "channel": "web",
        "order_id": "o", "reason": "the customer Jane Doe was angry",
    }  # fmt: skip

    error = refusal(CHANNEL_OF["order-returned"], b"o", json_bytes(body))

    assert (error.code, error.path) == ("SCHEMA", "$.reason")
    assert "Jane" not in str(error)


def test_control_characters_are_fine_in_a_title() -> None:
    body = {
        "event_id": "e", "occurred_at": "2024-03-01T09:30:00Z", "sku": "tea", "title": "Tea\n\tfine",
        "kind": "physical", "category": ["drinks"], "price": 399, "currency": "EUR",
    }  # fmt: skip

    assert decode(ProductUpdated, json_bytes(body)).title == "Tea\n\tfine"


def test_unknown_fields_are_ignored_and_the_last_duplicate_counts() -> None:
    raw = json_bytes(basket(new_in_2030={"deep": [1]}))[:-1] + b',"channel":"till"}'

    assert decode(BasketUpdated, raw).channel == "till"


def test_a_record_of_exactly_the_largest_size_is_read() -> None:
    raw = json_bytes(basket())

    assert decode(BasketUpdated, raw + b" " * (MAX_RECORD_BYTES - len(raw))).basket_id == "b-1"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_an_event_or_a_poison_event(raw: bytes) -> None:
    record = kafka_record(BASKETS.topic, b"b-1", raw)

    for channel in INCOMING:
        received, letters = receive_all(channel, [record])
        assert len(received) + len(letters) == 1


@given(st.data())
def test_any_damage_to_a_good_record_gives_an_event_or_a_poison_event(data: st.DataObject) -> None:
    raw = bytearray(json_bytes(basket(lines=[line(sku="sk\u00fc\U0001f6d2")] * 2)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw) - 1))
        raw[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    record = kafka_record(BASKETS.topic, b"b-1", bytes(raw))

    received, letters = receive_all(BASKETS, [record])

    assert len(received) + len(letters) == 1


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(basket(customer_id="c", limits={}, version=1))), JSON_VALUE)
def test_any_value_in_any_field_gives_an_event_or_a_poison_event(field: str, value: object) -> None:
    record = kafka_record(BASKETS.topic, b"b-1", json_bytes(basket(**{field: value})))

    received, letters = receive_all(BASKETS, [record])

    assert len(received) + len(letters) == 1


@given(st.text(max_size=20))
def test_an_id_is_taken_exactly_when_it_holds_no_control_character(text: str) -> None:
    fine = bool(text) and not any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text)
    for ascii_only in (True, False):
        raw = json.dumps(basket(lines=[line(sku=text)]), ensure_ascii=ascii_only).encode()
        received, _ = receive_all(BASKETS, [kafka_record(BASKETS.topic, b"b-1", raw)])
        assert bool(received) is fine


def test_no_map_of_an_incoming_event_holds_ids() -> None:
    """The codec looks for control characters in fields and lists; it need not look into maps."""
    schemas = [
        msgspec.json.schema(channel.event_type) for channel in CHANNELS if channel.direction == "receive"
    ]
    maps = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("additionalProperties"), dict):
                maps.append(node)
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(schemas)

    assert len(maps) == 1, "only the features of a product"
    assert "pattern" not in json.dumps(maps)


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=23, minutes=59)))))
def test_milliseconds_are_exact(moment: datetime) -> None:
    exact = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert occurred_ms(moment) == exact


def test_a_clock_may_be_five_minutes_fast_and_no_more() -> None:
    moment = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
    limit_ms = occurred_ms(moment) - MAX_CLOCK_SKEW_MS

    assert check_time(moment, limit_ms) == occurred_ms(moment)
    with pytest.raises(PoisonEvent, match="FUTURE_TIME"):
        check_time(moment, limit_ms - 1)


@pytest.mark.parametrize("timestamp_ms", [None, -1])
def test_a_record_without_a_time_cannot_vouch_for_its_event(timestamp_ms: int | None) -> None:
    assert refusal(BASKETS, b"b-1", json_bytes(basket()), timestamp_ms=timestamp_ms).code == "NO_RECORD_TIME"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "KEY_MISSING"), (b"", "KEY_INVALID"), (b"\xff", "KEY_INVALID"), (b"a\n", "KEY_INVALID"),
        (b"x" * 129, "KEY_INVALID"),
    ],
)  # fmt: skip
def test_the_key_of_a_tombstone_must_be_an_id(key: bytes | None, code: str) -> None:
    with pytest.raises(PoisonEvent) as refused:
        key_id(key)

    assert refused.value.code == code


def test_decoding_leaves_no_field_of_a_line_to_chance() -> None:
    event = receive(BASKETS, kafka_record(BASKETS.topic, b"b-1", json_bytes(basket())))

    assert event.occurred_at_ms == 1_709_285_400_000 < RECORD_TIME_MS
    assert event.event.lines == [Line(sku="tea", quantity=1, unit_price=399)]
    assert event.event.customer_id is None
