"""JSON and YAML as text, the same bytes every time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$/-]*")
#: YAML 1.1 reads these keys as true or false.
_TRAPS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def json_text(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def yaml_text(value: dict[str, Any]) -> str:
    """Block YAML of maps, lists and scalars. Strings are in double quotes, as JSON has them, so that no
    reader takes `1.0`, `no` or `2026-01-01` for something else.

    >>> print(yaml_text({"a": [1, {"b": "no", "c": []}], "on": True}), end="")
    a:
      - 1
      - b: "no"
        c: []
    "on": true
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _entry(f"{_key(name)}:", inner, "  ")
    elif isinstance(value, list) and value:
        for inner in value:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, (dict, list)) and value:
        yield head
        yield from (indent + line for line in _lines(value))
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"


def _key(name: str) -> str:
    plain = _PLAIN_KEY.fullmatch(name) and name.lower() not in _TRAPS
    return name if plain else json.dumps(name)
