"""`schemas/` says what the typed events say, and its examples are what travels."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from stream import contracts
from stream.announcements import ErasureProven
from stream.channels import BASKETS, CHANNELS, ORDERS, Channel
from stream.codec import decode, encode, occurred_ms
from stream.contracts.json_schema import json_schema
from stream.contracts.text import json_text
from stream.events import BasketUpdated, CustomerErased, OrderPlaced, SuggestionFeedback
from stream.identity import offer_id, suggestion_id
from stream.suggestion import Suggestion
from stream.tables.proofs import proof_id
from tests.broken_records import ODD_IDS, basket, line

EXAMPLES = sorted((contracts.SCHEMAS / "examples").glob("*.json"))
CHANNEL_OF = {channel.topic: channel for channel in CHANNELS}


FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    """A time with an offset; jsonschema itself checks that only with packages nothing else here needs."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def channel_of(example: Path) -> Channel[Any]:
    return CHANNEL_OF[example.name.split(".")[0]]


def example(name: str, event_type: type[Any]) -> Any:
    return decode(event_type, (contracts.SCHEMAS / "examples" / name).read_bytes())


def validator(channel: Channel[Any]) -> Draft202012Validator:
    return Draft202012Validator(json_schema(channel), format_checker=FORMATS)


def with_times(value: Any) -> Any:
    """JSON with its times parsed: `.412` and `.412000` are the same."""
    if isinstance(value, dict):
        return {name: with_times(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_times(inner) for inner in value]
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value)
    return value


def test_the_files_in_schemas_are_what_the_types_say() -> None:
    assert contracts.drift() == [], "run `make schemas` and commit what changed"


def test_drift_sees_what_is_changed_missing_or_left_over(tmp_path: Path) -> None:
    assert set(contracts.write(tmp_path)) == set(contracts.contract_files())
    assert contracts.drift(tmp_path) == []

    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0\n")
    (tmp_path / "order-placed.v1.json").unlink()
    (tmp_path / "order-shipped.v1.json").write_text("{}")

    assert contracts.drift(tmp_path) == ["asyncapi.yaml", "order-placed.v1.json", "order-shipped.v1.json"]
    contracts.write(tmp_path)
    assert contracts.drift(tmp_path) == []


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.topic)
def test_every_schema_is_valid_closed_and_described(channel: Channel[Any]) -> None:
    schema = json_schema(channel)

    Draft202012Validator.check_schema(schema)
    objects = [schema, *schema.get("$defs", {}).values()]
    assert all(found["additionalProperties"] is False for found in objects if "properties" in found)
    assert all(found["description"] for found in objects)
    assert schema["$id"] == f"urn:basketstream:schema:{channel.topic}:v1"
    assert channel.key in schema["properties"]


def test_every_channel_has_an_example() -> None:
    assert {channel_of(path).topic for path in EXAMPLES} == {channel.topic for channel in CHANNELS}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid_decodes_and_comes_out_the_same(path: Path) -> None:
    channel, raw = channel_of(path), path.read_bytes()

    validator(channel).validate(json.loads(raw))
    event = decode(channel.event_type, raw)

    assert decode(channel.event_type, encode(event)) == event
    assert with_times(json.loads(encode(event))) == with_times(json.loads(raw))
    validator(channel).validate(json.loads(encode(event)))
    assert json_text(json.loads(raw)).encode() == raw


def test_the_ids_of_the_examples_are_derived_as_ours_are() -> None:
    asked = example("basket-updated.web.json", BasketUpdated)
    answer = example("suggestions.upsell-and-cross-sell.json", Suggestion)
    feedback = example("suggestion-feedback.added.json", SuggestionFeedback)

    at_ms = occurred_ms(asked.occurred_at)
    assert answer.suggestion_id == suggestion_id(BASKETS.topic, asked.basket_id, asked.event_id, at_ms)
    assert answer.cause.event_id == asked.event_id
    for offer in answer.offers:
        assert offer.offer_id == offer_id(answer.suggestion_id, offer.kind, offer.sku, offer.replaces_sku)
    assert (feedback.suggestion_id, feedback.offer_id) == (answer.suggestion_id, answer.offers[0].offer_id)


def test_the_answer_to_an_order_has_an_id_derived_from_the_order() -> None:
    placed = example("order-placed.web.json", OrderPlaced)
    answer = example("suggestions.after-an-order.json", Suggestion)

    at_ms = occurred_ms(placed.occurred_at)
    assert answer.suggestion_id == suggestion_id(ORDERS.topic, placed.order_id, placed.event_id, at_ms)
    assert (answer.order_id, answer.cause.event_id) == (placed.order_id, placed.event_id)
    for offer in answer.offers:
        assert offer.offer_id == offer_id(answer.suggestion_id, offer.kind, offer.sku)


def test_the_example_of_a_proof_answers_the_example_of_a_request() -> None:
    request = example("customer-erased.request.json", CustomerErased)
    proof = example("erasure-proven.done.json", ErasureProven)

    assert proof.proof_id == proof_id(request.customer_id, request.event_id)
    assert proof.asked_at == request.occurred_at


def test_every_rung_of_the_examples_ladder_names_every_feature() -> None:
    [upsell] = [
        offer
        for offer in example("suggestions.upsell-and-cross-sell.json", Suggestion).offers
        if offer.kind == "upsell"
    ]

    assert len({tuple(rung.features) for rung in upsell.ladder}) == 1
    assert upsell.replaces_sku in {rung.sku for rung in upsell.ladder}


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
def test_the_schema_takes_the_odd_ids_that_the_codec_takes(odd: str) -> None:
    validator(BASKETS).validate(basket(odd, lines=[line(sku=odd)]))


@pytest.mark.parametrize(
    "body",
    [
        basket(custommer_id="c-1"),
        basket(occurred_at="2024-03-01T09:30:00"),
        basket(occurred_at="yesterday"),
        basket(lines=[line(sku="a\x00b")]),
        basket(lines=[line(quantity=0)]),
        basket(currency="eur"),
        basket(lines=...),
    ],
)
def test_the_schema_refuses_what_a_producer_must_not_send(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validator(BASKETS).validate(body)


def test_no_file_names_a_host_of_the_internet() -> None:
    hosts = {
        host
        for text in contracts.contract_files().values()
        for host in re.findall(r"[a-z]+://([^/\"\s]+)", text)
    }

    assert hosts == {"json-schema.org"}
