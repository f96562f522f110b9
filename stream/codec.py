"""Bytes to typed events and back. Whatever the bytes are, only `PoisonEvent` comes out.

| code | meaning |
|---|---|
| `EMPTY_VALUE` | no value at all (where the topic knows tombstones, the agent looks before it decodes) |
| `TOO_LARGE` | more than `MAX_RECORD_BYTES`; refused before it is parsed |
| `NOT_UTF8`, `NOT_JSON`, `NOT_AN_OBJECT` | not text, not JSON (NaN and Infinity are not JSON), not `{...}` |
| `NESTED_TOO_DEEP` | deeper than the parser's stack, even inside a field nobody reads |
| `SCHEMA` | JSON, but not this event; `path` says where |
| `KEY_MISSING`, `KEY_MISMATCH`, `KEY_INVALID` | the record's key is not the UTF-8 of the event's id |
| `FUTURE_TIME`, `PAST_TIME`, `NO_RECORD_TIME` | `occurred_at` cannot be, judged by the broker's time |
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, inspect

from stream.errors import PoisonEvent
from stream.fields import ID_PATTERN, MAX_ID_CHARACTERS, MAX_RECORD_BYTES

#: How far `occurred_at` may be ahead of the record's time: tills drift, but must not empty the window.
MAX_CLOCK_SKEW_MS = 5 * 60 * 1000

E = TypeVar("E", bound=Struct)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[type[Struct], msgspec.json.Decoder[Any]] = {}
_PATH_AT_END = re.compile(r" - at `(?P<path>[^`]*)`$", re.DOTALL)
_MAY_BE_CONTROL = re.compile(rb"\\(?:[bfnrt]|u00[01]|u007)|\x7f")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def decode(event_type: type[E], raw: bytes | None) -> E:
    """The event in `raw`; `PoisonEvent` when there is none."""
    if not raw:
        raise PoisonEvent("EMPTY_VALUE", "$", "the record has no value")
    if len(raw) > MAX_RECORD_BYTES:
        raise PoisonEvent("TOO_LARGE", "$", f"{len(raw)} bytes, at most {MAX_RECORD_BYTES} are read")
    try:
        event: E = _decoder(event_type).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _poison(problem) from problem
    # Only an escape can bring a control character into JSON text; DEL alone needs none.
    if (b"\\" in raw or b"\x7f" in raw) and _MAY_BE_CONTROL.search(raw):
        _refuse_control_characters(event, _layout(event_type), "$")
    return event


def encode(event: Struct) -> bytes:
    """UTF-8 JSON of an event, fields in the order of its type."""
    return _ENCODER.encode(event)


def check_key(event_id: str, key: bytes | None) -> None:
    """The record's key must be the UTF-8 of the id that the topic is keyed by, or order is not kept."""
    if key == event_id.encode():
        return
    if key is None:
        raise PoisonEvent("KEY_MISSING", "key", "the record has no key; it must be the id of the event")
    raise PoisonEvent("KEY_MISMATCH", "key", "the record's key is not the id of the event")


def key_id(key: bytes | None) -> str:
    """The id in the key of a record that has no value (a tombstone)."""
    if key is None:
        raise PoisonEvent("KEY_MISSING", "key", "the record has neither key nor value")
    try:
        text = key.decode()
    except UnicodeDecodeError as problem:
        raise PoisonEvent("KEY_INVALID", "key", f"not UTF-8: {problem.reason}") from problem
    if not 1 <= len(text) <= MAX_ID_CHARACTERS or _CONTROL.search(text):
        raise PoisonEvent("KEY_INVALID", "key", "not an id")
    return text


def check_time(occurred_at: datetime, record_timestamp_ms: int | None) -> int:
    """`occurred_at` in ms since 1970, once the broker's time of the record vouches for it."""
    at_ms = occurred_ms(occurred_at)
    if record_timestamp_ms is None or record_timestamp_ms < 0:
        raise PoisonEvent("NO_RECORD_TIME", "timestamp", "the record has no time to judge occurred_at by")
    if at_ms > record_timestamp_ms + MAX_CLOCK_SKEW_MS:
        ahead_s = (at_ms - record_timestamp_ms) // 1000
        raise PoisonEvent("FUTURE_TIME", "$.occurred_at", f"{ahead_s} s after the record's own time")
    if at_ms < 0:
        raise PoisonEvent("PAST_TIME", "$.occurred_at", "before 1970")
    return at_ms


def occurred_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down, exact at either end of the calendar.

    >>> occurred_ms(datetime(2026, 3, 1, 9, 30, 12, 345678, tzinfo=UTC))
    1772357412345
    """
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _decoder(event_type: type[Struct]) -> msgspec.json.Decoder[Any]:
    decoder = _DECODERS.get(event_type)
    if decoder is None:
        decoder = _DECODERS[event_type] = msgspec.json.Decoder(event_type, strict=True)
    return decoder


@cache
def _layout(event_type: type[Struct]) -> inspect.Type:
    return inspect.type_info(event_type)


def _poison(problem: Exception) -> PoisonEvent:
    """What was wrong, without quoting what the record holds."""
    match problem:
        case RecursionError():
            return PoisonEvent("NESTED_TOO_DEEP", "$", "nested deeper than the parser goes")
        case UnicodeDecodeError():
            return PoisonEvent("NOT_UTF8", "$", f"not UTF-8: {problem.reason}")
        case msgspec.ValidationError():
            text = str(problem)
            found = _PATH_AT_END.search(text)
            if text.startswith("Invalid enum value"):
                return PoisonEvent(
                    "SCHEMA", found["path"] if found else "$", "none of the words allowed here"
                )
            if found is not None:
                return PoisonEvent("SCHEMA", found["path"], text[: found.start()])
            code = "NOT_AN_OBJECT" if text.startswith("Expected `object`") else "SCHEMA"
            return PoisonEvent(code, "$", text)
        case _:
            return PoisonEvent("NOT_JSON", "$", str(problem))


def _refuse_control_characters(value: Any, kind: inspect.Type, path: str) -> None:
    """Walk the event as its type says and hold every id against `ID_PATTERN` (no map of ours holds ids)."""
    match kind:
        case inspect.Metadata(extra_json_schema={"pattern": pattern}) if pattern == ID_PATTERN:
            if _CONTROL.search(value):
                raise PoisonEvent("SCHEMA", path, "an id must not hold control characters")
        case inspect.Metadata():
            _refuse_control_characters(value, kind.type, path)
        case inspect.UnionType() if value is not None:
            for choice in kind.types:
                if not isinstance(choice, inspect.NoneType):
                    _refuse_control_characters(value, choice, path)
        case inspect.StructType():
            for field in kind.fields:
                inner = getattr(value, field.name)
                _refuse_control_characters(inner, field.type, f"{path}.{field.encode_name}")
        case inspect.ListType():
            for position, item in enumerate(value):
                _refuse_control_characters(item, kind.item_type, f"{path}[{position}]")
        case _:
            return
