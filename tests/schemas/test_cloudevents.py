"""CloudEvents on Kafka: binary and structured mode in, binary mode out."""

from __future__ import annotations

import json

import pytest

from stream.channels import BASKETS, ORDERS, SUGGESTIONS
from stream.cloudevents import OutputHeaders, traceparent_of
from stream.errors import PoisonEvent
from stream.intake import receive
from tests.broken_records import basket, json_bytes
from tests.kafka_records import kafka_record

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=utf-8")


def envelope(**changes: object) -> bytes:
    body = {
        "specversion": "1.0", "id": "1", "source": "/till/7", "type": BASKETS.type_name,
        "datacontenttype": "application/json", "time": "2024-03-01T09:30:00Z", "data": basket(),
    }  # fmt: skip
    return json.dumps({**body, **changes}, indent=2).encode()


def received(value: bytes, *headers: tuple[str, bytes]) -> object:
    return receive(BASKETS, kafka_record(BASKETS.topic, b"b-1", value, headers=headers)).event


def refused(value: bytes, *headers: tuple[str, bytes]) -> PoisonEvent:
    with pytest.raises(PoisonEvent) as error:
        received(value, *headers)
    return error.value


PLAIN = received(json_bytes(basket()))


@pytest.mark.parametrize(
    "headers",
    [
        [("ce_type", b"basketstream.basket-updated.v1"), ("ce_id", b"1"), ("ce_specversion", b"1.0")],
        [("content-type", b"application/json")],
        [("content-type", b"text/plain"), ("traceparent", b"nonsense")],
        [("ce_id", b"\xff"), ("anything", b"")],
    ],
)
def test_binary_mode_and_other_headers_leave_the_value_alone(headers: list[tuple[str, bytes]]) -> None:
    assert received(json_bytes(basket()), *headers) == PLAIN


def test_structured_mode_is_unwrapped() -> None:
    assert received(envelope(), STRUCTURED) == PLAIN


@pytest.mark.parametrize(
    "named", [b"basketstream.order-placed.v1", b"basketstream.basket-updated.v2", b"", b"\xff"]
)
def test_a_record_that_says_it_is_another_type_is_refused(named: bytes) -> None:
    error = refused(json_bytes(basket()), ("ce_type", named))

    assert (error.code, error.path) == ("WRONG_TYPE", "headers.ce_type")


def test_an_envelope_of_another_type_is_refused() -> None:
    assert refused(envelope(type=ORDERS.type_name), STRUCTURED).code == "WRONG_TYPE"


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        (envelope(specversion="0.3"), "SCHEMA", "$.specversion"),
        (envelope(data=None), "NOT_AN_OBJECT", "$"),
        (json_bytes(basket()), "SCHEMA", "$"),
        (b"[]", "NOT_AN_OBJECT", "$"),
        (b"", "EMPTY_VALUE", "$"),
        (envelope()[:-20], "NOT_JSON", "$"),
        (envelope(data={**basket(), "lines": 1}), "SCHEMA", "$.lines"),
        (envelope(padding="x" * (1 << 20)), "TOO_LARGE", "$"),
    ],
)
def test_a_broken_envelope_is_refused_with_the_codes_of_any_record(
    value: bytes, code: str, path: str
) -> None:
    error = refused(value, STRUCTURED)

    assert (error.code, error.path) == (code, path)


@pytest.mark.parametrize(
    "content_type", [b"application/cloudevents+avro", b"application/cloudevents-batch+json"]
)
def test_other_cloudevents_formats_are_refused(content_type: bytes) -> None:
    assert refused(envelope(), ("content-type", content_type)).code == "WRONG_CONTENT_TYPE"


def test_of_two_headers_of_one_name_the_first_counts() -> None:
    headers = (("ce_type", BASKETS.type_name.encode()), ("ce_type", b"other"))

    assert received(json_bytes(basket()), *headers) == PLAIN


def test_outputs_are_cloudevents_in_binary_mode() -> None:
    headers = OutputHeaders(SUGGESTIONS, source="urn:shop:7").headers(
        "5f1c", "2026-03-01T09:30:00Z", "b-ü", TRACE
    )

    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"5f1c",
        "ce_source": b"urn:shop:7",
        "ce_type": b"basketstream.suggestions.v1",
        "ce_time": b"2026-03-01T09:30:00Z",
        "ce_subject": "b-ü".encode(),
        "content-type": b"application/json",
        "traceparent": TRACE,
    }
    assert len(headers) == 8


def test_what_is_not_known_makes_no_header() -> None:
    names = {name for name, _ in OutputHeaders(SUGGESTIONS).headers("5f1c", "2026-03-01T09:30:00Z", None)}

    assert names.isdisjoint({"ce_subject", "traceparent"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("traceparent", TRACE)], TRACE),
        ([("other", b"x"), ("traceparent", TRACE), ("traceparent", b"second")], TRACE),
        ([("traceparent", TRACE.upper())], None),
        ([("traceparent", TRACE + b"\n")], None),
        ([("traceparent", b"x" * 100_000)], None),
        ([("traceparent", None)], None),
        ([], None),
    ],
)
def test_a_sound_trace_context_is_carried_on(
    headers: list[tuple[str, bytes]], expected: bytes | None
) -> None:
    assert traceparent_of(headers) == expected
