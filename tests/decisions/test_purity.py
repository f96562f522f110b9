"""The decision core reads no clock, no chance, no file and no network: its imports are counted out."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import stream.decisions

ROOT = Path(stream.decisions.__file__).parent
MODULES = sorted(ROOT.glob("*.py"))
OUTSIDE = {"msgspec", "numpy", "scipy"}
OURS = {"stream.events", "stream.suggestion", "stream.fields", "stream.identity", "stream.decisions"}
# Of the standard library, what could make two runs differ or reach outside.
BARRED = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
}


def imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_is_pure(module: Path) -> None:
    for name in imported(module):
        top = name.partition(".")[0]
        if top == "stream":
            assert ".".join(name.split(".")[:2]) in OURS
        else:
            assert top in OUTSIDE or (top in sys.stdlib_module_names and top not in BARRED)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_asks_no_clock_and_no_chance(module: Path) -> None:
    attributes = {
        node.attr for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)
    }

    assert not attributes & {"now", "utcnow", "today", "random", "default_rng", "urandom"}
