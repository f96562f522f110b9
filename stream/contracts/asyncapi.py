"""The AsyncAPI 3.0 document: every topic, what travels on it, and which way, seen from our side."""

from __future__ import annotations

import inspect
from typing import Any

from stream import dead_letters as header
from stream.channels import CHANNELS, MAJOR_VERSION, Channel
from stream.contracts.json_schema import schema_file
from stream.dead_letter_log import REPLAYED
from stream.topics import CONSUMED, dead_letter_topic, topic_specs

BINDING = "0.5.0"

Node = dict[str, Any]

_PARTITIONS = 8

_DEAD_LETTER = "DeadLetter"

_ABOUT = (
    "Shops tell what happens (a basket changed, an order was placed); suggestions come back: an upsell takes "
    "the place of a line, a cross-sell adds one. Values are JSON. Headers follow CloudEvents 1.0 in binary "
    "mode: written on what is sent, read but not asked for on what is received, where structured mode is "
    "taken as well. Outputs are delivered at least once with stable ids: drop ids you have seen. Within a "
    "version fields are only added, and only optional ones: ignore what you do not know."
)


def asyncapi() -> Node:
    """The whole document."""
    configurations = {spec.name: spec.config for spec in topic_specs(_PARTITIONS)}
    channels = {_camel(channel.topic): _channel(channel, configurations) for channel in CHANNELS}
    dead = {_camel(dead_letter_topic(topic)): _dead_channel(topic, configurations) for topic in CONSUMED}
    operations = dict(_operation(channel) for channel in CHANNELS)
    buried = dict(_burial(channel.topic) for channel in CHANNELS if channel.direction == "receive")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "basketstream",
            "version": f"{MAJOR_VERSION}.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {**channels, **dead},
        "operations": {**operations, **buried},
        "components": {
            "messages": {
                **{_name(channel): _message(channel) for channel in CHANNELS},
                _DEAD_LETTER: _dead_message(),
            },
            "schemas": {
                "ReceivedHeaders": _received_headers(),
                "SentHeaders": _sent_headers(),
                "DeadLetterHeaders": _dead_headers(),
            },
        },
    }


def _server() -> Node:
    return {
        "host": "{broker}",
        "protocol": "kafka",
        "description": "Topic names may have a prefix (BASKETSTREAM_TOPIC_PREFIX).",
        "variables": {"broker": {"default": "127.0.0.1:9092", "description": "Bootstrap server, HOST:PORT."}},
    }


def _channel(channel: Channel[Any], configurations: Any) -> Node:
    name = _name(channel)
    return {
        "address": channel.topic,
        "title": name,
        "description": _about(channel),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": _topic_binding(configurations[channel.topic]),
    }


def _dead_channel(topic: str, configurations: Any) -> Node:
    name = dead_letter_topic(topic)
    return {
        "address": name,
        "title": f"Dead letters of {topic}",
        "description": f"Records of {topic} that can never be processed, byte for byte, with the reason.",
        "messages": {_DEAD_LETTER: {"$ref": f"#/components/messages/{_DEAD_LETTER}"}},
        "bindings": _topic_binding(configurations[name]),
    }


def _topic_binding(config: Any) -> Node:
    """The configuration we make the topic with; the number of partitions is the operator's choice."""
    as_numbers = {name: int(text) for name, text in config.items() if name != "cleanup.policy"}
    configuration = {"cleanup.policy": [config["cleanup.policy"]], **as_numbers}
    return {"kafka": {"topicConfiguration": configuration, "bindingVersion": BINDING}}


def _operation(channel: Channel[Any]) -> tuple[str, Node]:
    name = f"{channel.direction}{_name(channel)}"
    operation: Node = {
        "action": channel.direction,
        "channel": {"$ref": f"#/channels/{_camel(channel.topic)}"},
        "summary": _about(channel).splitlines()[0],
        "messages": [{"$ref": f"#/channels/{_camel(channel.topic)}/messages/{_name(channel)}"}],
    }
    if channel.direction == "receive":
        group = {"type": "string", "default": "basketstream"}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return name, operation


def _burial(topic: str) -> tuple[str, Node]:
    dead = _camel(dead_letter_topic(topic))
    return f"send{dead[0].upper()}{dead[1:]}", {
        "action": "send",
        "channel": {"$ref": f"#/channels/{dead}"},
        "summary": f"A record of {topic} could not be processed.",
        "messages": [{"$ref": f"#/channels/{dead}/messages/{_DEAD_LETTER}"}],
    }


def _message(channel: Channel[Any]) -> Node:
    headers = "ReceivedHeaders" if channel.direction == "receive" else "SentHeaders"
    key = f"The event's {channel.key}, as UTF-8."
    if channel.key == "basket_id" and channel.direction == "send":
        key = (
            "The basket_id; after a purchase the customer_id, or the order_id where there is none. As UTF-8."
        )
    return {
        "name": channel.type_name,
        "title": _name(channel),
        "summary": _about(channel).splitlines()[0],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"$ref": f"./{schema_file(channel)}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": BINDING}},
    }


def _dead_message() -> Node:
    return {
        "name": "basketstream.dead-letter",
        "title": "DeadLetter",
        "summary": "Key, value and headers of the record as they came, and our headers after them.",
        "description": f"A record with the header `{REPLAYED}` and without a code is no letter: "
        "it says which letters of its partition were replayed.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "The bytes of the original record, whatever they are."},
        "bindings": {"kafka": {"key": {"description": "The original key."}, "bindingVersion": BINDING}},
    }


def _received_headers() -> Node:
    texts = {
        "ce_type": "CloudEvents type. Where present it must be the message's name.",
        "content-type": "application/json, or application/cloudevents+json for structured mode.",
        "traceparent": "W3C trace context, carried through to what the record causes.",
    }
    return _headers(texts, required=())


def _sent_headers() -> Node:
    texts = {
        "ce_specversion": "1.0",
        "ce_type": "The message's name.",
        "ce_source": "Which installation speaks.",
        "content-type": "application/json",
        "ce_id": "The suggestion_id or event_id: the same when the message is sent again.",
        "ce_time": "RFC 3339.",
        "ce_subject": "The id the message is about; as a rule the key.",
        "traceparent": "W3C trace context of the record that caused this one.",
    }
    return _headers(
        texts, required=("ce_specversion", "ce_type", "ce_source", "content-type", "ce_id", "ce_time")
    )


def _dead_headers() -> Node:
    texts = {
        header.TOPIC: "Topic the record came from.",
        header.PARTITION: "Its partition.",
        header.OFFSET: "Its offset.",
        header.STAGE: "Where in our work it failed.",
        header.CLASS_NAME: "Class of the error.",
        header.MESSAGE: "What is wrong, for people.",
        header.CODE: "What is wrong, for machines: a stable word.",
        header.PATH: "Where in the record.",
        header.TIMESTAMP: "The record's own time, milliseconds since 1970.",
        header.CUT: "Only where the value was cut, being larger than any topic takes: its true size.",
    }
    return _headers(texts, required=tuple(name for name in texts if name != header.CUT))


def _headers(texts: dict[str, str], *, required: tuple[str, ...]) -> Node:
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    schema: Node = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _about(channel: Channel[Any]) -> str:
    return inspect.cleandoc(channel.event_type.__doc__ or "")


def _name(channel: Channel[Any]) -> str:
    return channel.event_type.__name__


def _camel(topic: str) -> str:
    """A topic's name as an identifier.

    >>> _camel("basket-updated-dlt")
    'basketUpdatedDlt'
    """
    first, *rest = topic.split("-")
    return first + "".join(word.capitalize() for word in rest)
