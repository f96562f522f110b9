"""JSON Schema 2020-12 of one channel's event."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.channels import MAJOR_VERSION, Channel

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def schema_file(channel: Channel[Any]) -> str:
    """The name of the channel's file.

    >>> from stream.channels import BASKETS
    >>> schema_file(BASKETS)
    'basket-updated.v1.json'
    """
    return f"{channel.topic}.v{MAJOR_VERSION}.json"


def json_schema(channel: Channel[Any]) -> Schema:
    """What a producer must send: closed, so that a misspelt optional field is found before it is sent.

    Our reader is more tolerant than that: it ignores what it does not know.
    """
    generated = msgspec.json.schema(channel.event_type)
    definitions: dict[str, Schema] = generated["$defs"]
    for definition in definitions.values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    name = channel.event_type.__name__
    event = definitions.pop(name)
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:basketstream:schema:{channel.topic}:v{MAJOR_VERSION}",
        "title": name,
        "description": event["description"],
        **event,
    }
    if definitions:
        schema["$defs"] = dict(sorted(definitions.items()))
    return schema
