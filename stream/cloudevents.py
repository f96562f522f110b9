"""CloudEvents 1.0 on Kafka: headers for what we publish, and what the headers of an input mean.

Binary mode: the value is the event itself, the attributes are headers `ce_*`. Structured mode (content type
`application/cloudevents+json`): the value is an envelope with the event in `data`. Plain records without any
of this are inputs as well. Kafka header values are plain UTF-8, without HTTP's percent signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from stream.channels import Channel
from stream.codec import decode
from stream.errors import PoisonEvent

Headers = Sequence[tuple[str, bytes | None]]

SOURCE = "urn:basketstream"

_STRUCTURED = b"application/cloudevents"
_STRUCTURED_JSON = b"application/cloudevents+json"
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Envelope(Struct, frozen=True, gc=False):
    """The value of a record in structured mode; the attributes nobody here reads are left out."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    data: msgspec.Raw


class OutputHeaders:
    """Makes the headers of one output channel; what never changes is made once.

    `source` is a URI reference that says which installation speaks.
    """

    def __init__(self, channel: Channel[Any], *, source: str = SOURCE) -> None:
        self._constant: tuple[tuple[str, bytes], ...] = (
            ("ce_specversion", b"1.0"),
            ("ce_type", channel.type_name.encode()),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        )

    def headers(
        self, event_id: str, time: str, subject: str | None, traceparent: bytes | None = None
    ) -> list[tuple[str, bytes]]:
        """The headers of one message; `time` is RFC 3339, `subject` the id the message is about."""
        headers = [*self._constant, ("ce_id", event_id.encode()), ("ce_time", time.encode())]
        if subject:
            headers.append(("ce_subject", subject.encode()))
        if traceparent is not None:
            headers.append(("traceparent", traceparent))
        return headers


def traceparent_of(headers: Headers) -> bytes | None:
    """The W3C trace context of a record, to be carried through; None when absent or malformed."""
    for name, value in headers:
        if name == "traceparent":
            return value if value is not None and _TRACEPARENT.fullmatch(value) else None
    return None


def event_bytes(channel: Channel[Any], value: bytes | None, headers: Headers) -> bytes | None:
    """The event's own bytes in a record, out of whichever mode it came in.

    Raises PoisonEvent: WRONG_TYPE when the record says it is another type than its topic carries,
    WRONG_CONTENT_TYPE for a CloudEvents format other than JSON, and the codes of `decode` for an envelope
    that is none. For the same name the first header counts.
    """
    if not headers:
        return value
    found = {name: text for name, text in reversed(headers) if text is not None}
    content_type = found.get("content-type", b"").split(b";")[0].strip().lower()
    if not content_type.startswith(_STRUCTURED):
        named = found.get("ce_type")
        if named is not None and named != channel.type_name.encode():
            raise _wrong_type(channel, "headers.ce_type")
        return value
    if content_type != _STRUCTURED_JSON:
        raise PoisonEvent(
            "WRONG_CONTENT_TYPE", "headers.content-type", "of the CloudEvents formats only +json is read"
        )
    envelope = decode(Envelope, value)
    if envelope.type != channel.type_name:
        raise _wrong_type(channel, "$.type")
    return bytes(envelope.data)


def _wrong_type(channel: Channel[Any], path: str) -> PoisonEvent:
    return PoisonEvent("WRONG_TYPE", path, f"this topic carries {channel.type_name} only")
