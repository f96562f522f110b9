"""The page for integrators says what the code does: topics, headers, retention, codes, and a recipe that runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from stream import contracts, topics
from stream.channels import CHANNELS
from stream.dead_letters import OUR_HEADERS
from tests.broken_records import BROKEN


def test_the_readme_names_every_topic_and_dead_letter_header() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")

    for channel in CHANNELS:
        assert f"`{channel.topic}`" in readme
        assert channel.type_name in readme or "basketstream.<topic>.v1" in readme
    for name in OUR_HEADERS:
        assert f"`{name}`" in readme


def test_the_readme_says_how_long_a_topic_is_kept() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    rows = [[cell.strip() for cell in row.split("|")] for row in readme.splitlines() if row.startswith("| `")]
    told = {row[1].strip("`"): row[5] for row in rows if len(row) == 7}
    kept = {}
    for spec in topics.topic_specs(1):
        days = int(spec.config.get("retention.ms", 0)) // 86_400_000
        name = "<topic>-dlt" if spec.name.endswith("-dlt") else spec.name
        kept[name] = f"{days} days" if days else "compacted"

    del kept[topics.KPI_UPDATED]
    assert told == kept


def test_the_readme_names_every_code_that_is_raised() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    sources = (Path(contracts.__file__).parents[1]).rglob("*.py")
    raised = {
        code for path in sources for code in re.findall(r'PoisonEvent\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    met = {broken.code for records in BROKEN.values() for broken in records.values()}

    assert met - raised == {"NOT_AN_OBJECT"}, "raised under a condition"
    assert {code for code in raised | met if f"`{code}`" not in readme} == set()


def test_the_readmes_recipe_lets_each_id_pass_once() -> None:
    readme = (contracts.SCHEMAS / "README.md").read_text("utf-8")
    [recipe] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {}
    exec(recipe, names)

    seen = names["Seen"](most=2)

    assert [seen.is_new(name) for name in ("a", "b", "a", "b", "c", "c", "b")] == [
        True, True, False, False, True, False, False,
    ]  # fmt: skip
