"""The public contract, written from the typed events: JSON Schemas and an AsyncAPI document in `schemas/`.

`python -m stream.contracts` writes them, `drift()` says which files are not what the types say now.
"""

from __future__ import annotations

from pathlib import Path

from stream.channels import CHANNELS
from stream.contracts.asyncapi import asyncapi
from stream.contracts.json_schema import json_schema, schema_file
from stream.contracts.text import json_text, yaml_text

SCHEMAS = Path(__file__).parents[2] / "schemas"
"""Beside the sources; an installed package has none."""

ASYNCAPI_FILE = "asyncapi.yaml"


def contract_files() -> dict[str, str]:
    """Name and text of every generated file."""
    files = {schema_file(channel): json_text(json_schema(channel)) for channel in CHANNELS}
    return {**files, ASYNCAPI_FILE: yaml_text(asyncapi())}


def drift(folder: Path = SCHEMAS) -> list[str]:
    """Names of the generated files that are missing, differ, or are no longer made."""
    wanted = contract_files()
    found = {path.name for path in folder.glob("*.json")}
    differing = {
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    }
    return sorted(differing | (found - wanted.keys()))


def write(folder: Path = SCHEMAS) -> list[str]:
    """Write what differs; returns the names of the files that changed."""
    wanted = contract_files()
    changed = drift(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], "utf-8")
        else:
            (folder / name).unlink()
    return changed
