"""`schemas/` says what the typed events say, and its examples are what travels."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from stream import contracts, topics
from stream.announcements import ErasureProven
from stream.channels import BASKETS, CHANNELS, ORDERS, SUGGESTIONS, Channel
from stream.cloudevents import OutputHeaders
from stream.codec import decode, encode, occurred_ms
from stream.contracts.asyncapi import asyncapi
from stream.contracts.json_schema import json_schema, schema_file
from stream.contracts.text import json_text, yaml_text
from stream.dead_letters import OUR_HEADERS
from stream.events import BasketUpdated, CustomerErased, OrderPlaced, SuggestionFeedback
from stream.identity import offer_id, suggestion_id
from stream.suggestion import Suggestion
from stream.tables.proofs import proof_id
from tests.broken_records import BROKEN, ODD_IDS, basket, line

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


def test_asyncapi_is_the_same_document_for_every_yaml_reader() -> None:
    document = asyncapi()

    assert yaml.safe_load(yaml_text(document)) == document
    assert document["asyncapi"] == "3.0.0"


@pytest.mark.parametrize(
    "value", ["no", "1.0", "a: b", "# x", 'é\n\t"\\', "2026-01-01", "", "~", "{x}", "\u2028"]
)
def test_yaml_text_keeps_tricky_strings(value: str) -> None:
    document = {"list": [value, [value, {value or "empty": {}}]], "on": None, "true": 1.5}

    assert yaml.safe_load(yaml_text(document)) == document


def test_asyncapi_names_every_topic_that_we_read_write_or_bury_in() -> None:
    document = asyncapi()
    written = {topics.SUGGESTIONS, topics.CUSTOMER_TIER_CHANGED, topics.ERASURE_PROVEN}
    dead = {topics.dead_letter_topic(topic) for topic in topics.CONSUMED}
    actions: dict[str, set[str]] = {}
    for operation in document["operations"].values():
        address = resolve(document, operation["channel"])["address"]
        actions.setdefault(operation["action"], set()).add(address)

    read = {channel.topic for channel in CHANNELS if channel.direction == "receive"}
    buried = {topics.dead_letter_topic(topic) for topic in read}
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {*topics.CONSUMED, *written, *dead}
    assert actions == {"receive": read, "send": written | buried}


def resolve(document: dict[str, Any], node: dict[str, Any]) -> Any:
    reference = node["$ref"]
    if reference.startswith("./"):
        assert (contracts.SCHEMAS / reference).is_file()
        return None
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        here = [node] if "$ref" in node else []
        return here + [found for inner in node.values() for found in references(inner)]
    if isinstance(node, list):
        return [found for inner in node for found in references(inner)]
    return []


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    document = asyncapi()
    found = references(document)

    assert {node["$ref"] for node in found} >= {f"./{schema_file(channel)}" for channel in CHANNELS}
    for node in found:
        resolve(document, node)


def test_asyncapi_lists_the_headers_that_are_written() -> None:
    schemas = asyncapi()["components"]["schemas"]
    sent = OutputHeaders(SUGGESTIONS).headers("id", "2026-03-01T09:30:00Z", "subject", b"trace")

    assert {name for name, _ in sent} == set(schemas["SentHeaders"]["properties"])
    assert set(schemas["DeadLetterHeaders"]["properties"]) == OUR_HEADERS


def test_no_file_names_a_host_of_the_internet() -> None:
    hosts = {
        host
        for text in contracts.contract_files().values()
        for host in re.findall(r"[a-z]+://([^/\"\s]+)", text)
    }

    assert hosts == {"json-schema.org"}


def test_the_readme_names_every_topic_and_dead_letter_header() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")

    for channel in CHANNELS:
        assert f"`{channel.topic}`" in readme
        assert channel.type_name in readme or "basketstream.<topic>.v1" in readme
    for name in OUR_HEADERS:
        assert f"`{name}`" in readme


def test_the_readme_says_how_long_a_topic_is_kept() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    rows = [[cell.strip() for cell in row.split("|")] for row in readme.splitlines() if row.startswith("| `")]
    told = {row[1].strip("`"): row[5] for row in rows if len(row) == 7}
    kept = {}
    for spec in topics.topic_specs(1):
        days = int(spec.config.get("retention.ms", 0)) // 86_400_000
        name = "<topic>-dlt" if spec.name.endswith("-dlt") else spec.name
        kept[name] = f"{days} days" if days else "compacted"

    del kept[topics.KPI_UPDATED]
    assert told == kept


def test_the_readme_names_every_code_that_is_raised() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    sources = (Path(contracts.__file__).parents[1]).rglob("*.py")
    raised = {
        code for path in sources for code in re.findall(r'PoisonEvent\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    met = {broken.code for records in BROKEN.values() for broken in records.values()}

    assert met - raised == {"NOT_AN_OBJECT"}, "raised under a condition"
    assert {code for code in raised | met if f"`{code}`" not in readme} == set()


def test_the_readmes_recipe_lets_each_id_pass_once() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    [recipe] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {}
    exec(recipe, names)

    seen = names["Seen"](most=2)

    assert [seen.is_new(name) for name in ("a", "b", "a", "b", "c", "c", "b")] == [
        True, True, False, False, True, False, False,
    ]  # fmt: skip
