"""Whether a change of the types keeps the promise of a published version: only optional additions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stream.channels import CHANNELS
from stream.contracts.json_schema import Schema, json_schema, schema_file

#: What bounds a value; a change of any of these is a break for one side or the other.
BOUNDS = (
    "type", "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minItems", "maxItems", "minProperties", "maxProperties", "default",
)  # fmt: skip


def breaks_in(folder: Path) -> list[str]:
    """What the types of today would break of the schemas in `folder`."""
    broken: list[str] = []
    for channel in CHANNELS:
        path = folder / schema_file(channel)
        if path.is_file():
            published = json.loads(path.read_text("utf-8"))
            told = breaks(published, json_schema(channel), sent=channel.direction == "send")
            broken.extend(f"{path.name}: {line}" for line in told)
    return broken


def breaks(before: Schema, after: Schema, *, sent: bool) -> list[str]:
    """What `after` breaks of `before`. What we receive may be bounded more widely, what we send may not."""
    return list(_breaks(before, after, _Roots(before, after, sent), "$", ()))


class _Roots:
    """The two documents, for their references, and which way they travel."""

    def __init__(self, before: Schema, after: Schema, sent: bool) -> None:
        self.before, self.after, self.sent = before, after, sent


def _breaks(before: Schema, after: Schema, roots: _Roots, path: str, seen: tuple[str, ...]) -> Iterator[str]:
    reference = before.get("$ref", "")
    if reference in seen:
        return
    seen = (*seen, reference) if reference else seen
    before, after = _resolved(before, roots.before), _resolved(after, roots.after)
    for bound in BOUNDS:
        if before.get(bound) != after.get(bound) and not _widens(bound, before, after, roots.sent):
            yield f"{path}: {bound} was {before.get(bound)!r}, is {after.get(bound)!r}"
    choices = len(after.get("anyOf", ())) - len(before.get("anyOf", ()))
    if choices < 0 or (choices > 0 and roots.sent):
        yield f"{path}: {'more' if choices > 0 else 'fewer'} kinds of value"
    yield from _enum_breaks(before, after, roots.sent, path)
    yield from _field_breaks(before, after, roots.sent, path)
    for place, old, new in _children(before, after):
        yield from _breaks(old, new, roots, path + place, seen)


def _widens(bound: str, before: Schema, after: Schema, sent: bool) -> bool:
    """Whether an input may now be larger, or smaller, or without that bound."""
    if sent or bound in ("type", "const", "format", "default"):
        return False
    if bound not in after:
        return True
    if bound == "pattern" or bound not in before:
        return False
    larger = after[bound] > before[bound]
    return bool(larger if "max" in bound.lower() else not larger)


def _enum_breaks(before: Schema, after: Schema, sent: bool, path: str) -> Iterator[str]:
    old, new = set(before.get("enum", ())), set(after.get("enum", ()))
    if gone := old - new if not sent else set():
        yield f"{path}: {sorted(gone)} no longer taken"
    if added := new - old if sent else set():
        yield f"{path}: {sorted(added)} may be sent now"


def _field_breaks(before: Schema, after: Schema, sent: bool, path: str) -> Iterator[str]:
    old, new = set(before.get("required", ())), set(after.get("required", ()))
    for name in sorted(before.get("properties", {}).keys() - after.get("properties", {}).keys()):
        yield f"{path}.{name}: removed"
    # A producer must not have to send more than before, a consumer must not get less.
    for name in sorted((old - new if sent else new - old) & after.get("properties", {}).keys()):
        yield f"{path}.{name}: is now {'optional' if sent else 'required'}"


def _children(before: Schema, after: Schema) -> Iterator[tuple[str, Schema, Schema]]:
    for name, old in before.get("properties", {}).items():
        if name in after.get("properties", {}):
            yield f".{name}", old, after["properties"][name]
    for word, place in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(before.get(word), dict) and isinstance(after.get(word), dict):
            yield place, before[word], after[word]
    for number, (old, new) in enumerate(zip(before.get("anyOf", ()), after.get("anyOf", ()), strict=False)):
        yield f"|{number}", old, new


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference: str | None = schema.get("$ref")
    if reference is None:
        return schema
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return dict(node)
