"""pytest's side of the scenarios: `--scenarios` prints every scenario of the list and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from rich.console import Console
from rich.table import Table

from tests.scenarios.list import SCENARIOS, Scenario

MARKER = "scenario"
PACKAGE = "tests.scenarios."
WIDTH = 240
"""Characters of a line, however wide the terminal is: nothing is cut off, and pipes get it whole."""


class Outcome(NamedTuple):
    """A test that stands for a scenario, the sector it is played in, and whether it passed."""

    sector: str
    test: str
    passed: bool


OUTCOMES = pytest.StashKey[dict[str, list[Outcome]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("scenarios").addoption(
        "--scenarios", action="store_true", help="print the table of scenarios at the end"
    )


def pytest_configure(config: pytest.Config) -> None:
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    config.stash[OUTCOMES] = outcomes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report: pytest.TestReport = yield
    module = getattr(getattr(item, "module", None), "__name__", "")
    if module.startswith(PACKAGE) and (report.when == "call" or report.failed):
        outcome = Outcome(module.rpartition("test_")[2], item.name.removeprefix("test_"), report.passed)
        for marker in item.iter_markers(MARKER):
            item.config.stash[OUTCOMES][marker.args[0]].append(outcome)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.option.scenarios:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("", "result", "scenario", "sector", "test"):
        table.add_column(column, no_wrap=True)
    counts: dict[str, int] = defaultdict(int)
    for scenario in SCENARIOS:
        found = config.stash[OUTCOMES].get(scenario.id, [])
        counts[result(scenario, found)] += 1
        for row in rows(scenario, found):
            table.add_row(*row)
    terminalreporter.section("scenarios")
    console = Console(width=WIDTH, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    terminalreporter.write(captured.get())
    terminalreporter.write_line(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))


def result(scenario: Scenario, found: list[Outcome]) -> str:
    """What became of a scenario: failed if one of its tests did."""
    if any(not outcome.passed for outcome in found):
        return "failed"
    if found:
        return "passed"
    return "missing" if scenario.missing else "not run"


def rows(scenario: Scenario, found: list[Outcome]) -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each test of the scenario; one that says what is missing where there is none."""
    if not found:
        yield scenario.id, result(scenario, found), scenario.statement, "", scenario.missing
    for n, outcome in enumerate(found):
        ident, statement = (scenario.id, scenario.statement) if n == 0 else ("", "")
        yield ident, "passed" if outcome.passed else "failed", statement, outcome.sector, outcome.test
