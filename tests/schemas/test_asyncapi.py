"""The AsyncAPI document names what is read and written, and is the same for every reader of YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from stream import contracts, topics
from stream.channels import CHANNELS, SUGGESTIONS
from stream.cloudevents import OutputHeaders
from stream.contracts.asyncapi import asyncapi
from stream.contracts.json_schema import schema_file
from stream.contracts.text import yaml_text
from stream.dead_letters import OUR_HEADERS


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
