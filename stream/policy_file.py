"""The shop's policy as a TOML file: read whole, every mistake of it told at once.

    max_offers = 4
    bans = ["SKU-1"]
    thresholds = { EUR = 5000 }          # free delivery from 50.00
    boosts = { "SKU-2" = 1.5 }

    [[pins]]
    sku = "SKU-3"
    beside = ["SKU-4"]

    [[complements]]
    of = "SKU-4"
    sku = "SKU-5"

    [[rules]]
    channel = "pos"
    tier = "gold"
    max_step = 2.0

The names are the fields of `stream.decisions.policy.Policy`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from stream.decisions.policy import Companion, Pin, Policy, Rule
from stream.errors import OperatorError

ENTRIES: dict[str, type[msgspec.Struct]] = {"pins": Pin, "complements": Companion, "rules": Rule}
"""Lists whose entries are judged one by one, so that each mistake is told with its place."""


def read_policy(path: Path, **given: Any) -> Policy:
    """The policy in a file, `given` standing in for what the file leaves out. Raises OperatorError."""
    return parse_policy(policy_text(path), str(path), **given)


def policy_text(path: Path) -> str:
    """What the file says. Raises OperatorError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise OperatorError(
            f"The policy file {path} cannot be read: {exc}.", "Put a readable TOML file there."
        ) from exc


def parse_policy(text: str, name: str, **given: Any) -> Policy:
    """The policy in a TOML text, which messages call `name`. Raises OperatorError that tells every mistake."""
    try:
        content = {**given, **tomllib.loads(text)}
    except tomllib.TOMLDecodeError as exc:
        raise OperatorError(f"{name} is not TOML: {exc}.", "Correct it there.") from exc
    problems = list(_problems(content))
    if problems:
        raise OperatorError(
            f"{name} has {len(problems)} mistake{'s' if len(problems) > 1 else ''}:\n  "
            + "\n  ".join(problems),
            "Correct them; until then the policy before stays in force.",
        )
    return msgspec.convert(content, Policy)


def _problems(content: dict[str, Any]) -> Iterator[str]:
    types = {field.name: field.type for field in msgspec.structs.fields(Policy) if field.name != "version"}
    for name, value in content.items():
        if name not in types:
            yield f"{name}: no such setting"
        elif name in ENTRIES and isinstance(value, list):
            for place, entry in enumerate(value):
                yield from _mistakes(f"{name}[{place}]", entry, ENTRIES[name])
            yield from _too_many(name, value, types[name])
        else:
            yield from _mistakes(name, value, types[name])


def _too_many(name: str, value: list[Any], kind: Any) -> Iterator[str]:
    """The bound of a list, which no entry tells."""
    most = next(m.max_length for m in kind.__metadata__ if m.max_length is not None)
    if len(value) > most:
        yield f"{name}: {len(value)} entries, at most {most} are allowed"


def _mistakes(name: str, value: Any, kind: Any) -> Iterator[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        yield f"{name}: {exc}"
