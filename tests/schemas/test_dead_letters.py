"""Dead letters keep the record byte for byte and say why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stream import dead_letters as header
from stream.dead_letters import KEPT_BYTES, MAX_TEXT, DeadLetter, DeadLetters, dead_letter_message
from stream.errors import PoisonEvent, StateUnavailable
from stream.producer import MESSAGE_BYTES
from stream.publisher import Outgoing
from tests.kafka_records import kafka_record

ERROR = PoisonEvent("SCHEMA", "$.lines[0].quantity", "Expected `int` >= 1")


class RecordingPublisher:
    """Remembers what was published; may be out of reach."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Outgoing]] = []
        self.reachable = True

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        if not self.reachable:
            raise StateUnavailable("no broker")
        self.published.extend((topic, message) for message in messages)


async def test_a_letter_holds_the_record_as_it_came_and_the_reason() -> None:
    publisher = RecordingPublisher()
    record = kafka_record(
        "shop-order-placed",
        b"\xff",
        b"{broken",
        headers=[("ce_id", b"1"), ("empty", b"")],
        partition=3,
        offset=77,
    )

    await DeadLetters(publisher).send([DeadLetter(record, ERROR, "decode")])

    [(topic, (key, value, headers, _))] = publisher.published
    assert (topic, key, value) == ("shop-order-placed-dlt", b"\xff", b"{broken")
    assert headers == [
        ("ce_id", b"1"),
        ("empty", b""),
        ("__connect.errors.topic", b"shop-order-placed"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"77"),
        ("__connect.errors.stage", b"decode"),
        ("__connect.errors.exception.class.name", b"stream.errors.PoisonEvent"),
        ("__connect.errors.exception.message", b"Expected `int` >= 1"),
        ("basketstream.error.code", b"SCHEMA"),
        ("basketstream.error.path", b"$.lines[0].quantity"),
        ("basketstream.error.timestamp", b"1790000000000"),
    ]


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (None, b"x"), (b"x", None)])
def test_what_is_missing_stays_missing(key: bytes | None, value: bytes | None) -> None:
    message = dead_letter_message(DeadLetter(kafka_record("t", key, value), ERROR, "decode"))

    assert (message.key, message.value) == (key, value)


def test_a_null_header_is_kept() -> None:
    record = kafka_record("t", b"k", b"v", headers=[("none", None)])  # type: ignore[list-item]

    assert ("none", None) in dead_letter_message(DeadLetter(record, ERROR, "decode")).headers


async def test_letters_of_several_topics_keep_their_order() -> None:
    publisher = RecordingPublisher()
    places = [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    letters = [
        DeadLetter(kafka_record(topic, b"k", b"v", offset=offset), ERROR, "decode")
        for topic, offset in places
    ]

    await DeadLetters(publisher, suffix=".DLT").send(letters)

    sent = [(topic, dict(message.headers)[header.OFFSET]) for topic, message in publisher.published]
    assert sent == [("a.DLT", b"1"), ("a.DLT", b"2"), ("b.DLT", b"1"), ("b.DLT", b"2")]


async def test_no_letters_publish_nothing() -> None:
    publisher = RecordingPublisher()

    await DeadLetters(publisher).send([])

    assert publisher.published == []


async def test_a_letter_that_cannot_be_sent_is_not_passed_over() -> None:
    publisher = RecordingPublisher()
    publisher.reachable = False

    with pytest.raises(StateUnavailable):
        await DeadLetters(publisher).send([DeadLetter(kafka_record("t", b"k", b"v"), ERROR, "decode")])


def test_a_letter_that_dies_again_has_one_reason_the_newest() -> None:
    first = dead_letter_message(DeadLetter(kafka_record("t", b"k", b"v", offset=1), ERROR, "decode"))
    again = kafka_record("t", b"k", b"v", headers=first.headers, offset=2)

    headers = dead_letter_message(DeadLetter(again, PoisonEvent("NOT_JSON", "$", "no"), "decode")).headers

    assert len(headers) == len(first.headers)
    assert dict(headers)[header.OFFSET] == b"2"
    assert dict(headers)[header.CODE] == b"NOT_JSON"


def test_long_reasons_are_cut_and_odd_ones_survive() -> None:
    error = PoisonEvent("SCHEMA", "$." + "x" * 100_000, "\ud800" + "y" * 100_000)

    headers = dict(dead_letter_message(DeadLetter(kafka_record("t", b"k", b"v"), error, "decode")).headers)

    assert headers[header.PATH].decode() == "$." + "x" * (MAX_TEXT - 3) + "…"
    assert headers[header.MESSAGE].startswith(b"\\ud800yyy")
    assert len(headers[header.MESSAGE]) < 2 * MAX_TEXT


def test_a_record_that_no_topic_takes_is_cut_and_says_so() -> None:
    record = kafka_record("t", b"k", b"v" * (MESSAGE_BYTES + 1), headers=[("big", b"h" * 1000)])

    key, value, headers, _ = dead_letter_message(DeadLetter(record, ERROR, "decode"))

    assert (key, value) == (b"k", b"v" * KEPT_BYTES)
    assert dict(headers)[header.CUT] == str(MESSAGE_BYTES + 1).encode()
    assert "big" not in dict(headers)


def test_a_record_with_monstrous_headers_is_cut_as_well() -> None:
    record = kafka_record("t", b"k", b"v", headers=[("big", b"h" * MESSAGE_BYTES)])

    key, value, headers, _ = dead_letter_message(DeadLetter(record, ERROR, "decode"))

    assert (key, value, dict(headers)[header.CUT]) == (b"k", b"v", b"1")
