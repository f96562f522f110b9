"""pytest's side of the fault harness: options, rounds, which rows run, and the table at the end."""

from __future__ import annotations

import json
import random
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.history import read_history
from tests.faults.report import Round, note_round, rows_of, table

ROUNDS = pytest.StashKey[list[Round]]()
MEASURED = pytest.StashKey[dict[str, Any]]()
FIXTURE = "arena"
COMMIT = pytest.StashKey[str]()
ROUND_ID = re.compile(r"round\d+")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults", "fault harness (tests/faults)")
    group.addoption("--rounds", type=int, default=1, help="rounds of each row, each with other dice")
    group.addoption("--seed", type=int, help="seed of all dice; drawn and printed when not given")
    group.addoption("--rows", default="", help="numbers of the rows to run, e.g. 1,4,18")
    group.addoption("--all-rows", action="store_true", help="every row, not only the rotation")
    group.addoption("--long", action="store_true", help="rows at the whole length of the fault matrix")
    group.addoption("--fault-report", type=Path, help="write rows, rounds, seeds and results here as JSON")
    group.addoption(
        "--sabotage", default="", choices=["", "fence", "claim", "epoch"], help="break the workers"
    )
    group.addoption("--forked", action="store_true", help="fork workers off a process with the imports done")
    group.addoption("--replay", type=Path, help="run the round of this history.jsonl again")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROUNDS] = []
    config.stash[COMMIT] = commit_of(config.rootpath)
    if config.option.replay is not None:
        first = read_history(config.option.replay)[0]
        config.option.seed = first["seed"]
        config.option.sabotage, config.option.long = first["sabotage"], first["long"]
        config.option.replay_only = (first["test"], first["round"])
        config.option.replay_began = datetime.fromisoformat(first["began"])
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randrange(1_000_000)


def commit_of(folder: Path) -> str:
    """The commit that is checked out in a folder, `-dirty` behind it when files differ; empty without git."""
    ask = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, check=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if FIXTURE in metafunc.fixturenames:
        only = getattr(metafunc.config.option, "replay_only", None)
        rounds = [only[1]] if only else range(1, metafunc.config.option.rounds + 1)
        metafunc.parametrize("fault_round", rounds, ids=[f"round{number}" for number in rounds])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --rows or --all-rows only the rotation runs."""
    chosen = {int(number) for number in config.option.rows.split(",") if number.strip()}
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (kept if _runs(config, item, chosen) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _runs(config: pytest.Config, item: pytest.Item, chosen: set[int]) -> bool:
    played = FIXTURE in getattr(item, "fixturenames", ())
    only = getattr(config.option, "replay_only", None)
    if only is not None:
        return played and name_of(item) == only[0]
    if not played:
        return not chosen or row_of(item) in chosen
    if chosen:
        return row_of(item) in chosen
    return bool(config.option.all_rows) or item.get_closest_marker("rotation") is not None


def row_of(item: pytest.Item) -> int:
    """The row of the fault matrix a test stands for; 0 for a test of the harness itself."""
    marker = item.get_closest_marker("fault")
    return int(marker.args[0]) if marker else 0


def name_of(item: pytest.Item) -> str:
    """The test's name without its round, so that every round of it has the same."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return item.name
    others = [part for part in item.callspec.id.split("-") if not ROUND_ID.fullmatch(part)]
    return "-".join([item.originalname, *others])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report: pytest.TestReport = yield
    measured: dict[str, Any] = item.stash.get(MEASURED, {})
    counts = FIXTURE in getattr(item, "fixturenames", ()) or row_of(item)
    if counts and (report.when == "call" or report.failed):
        params: Any = item.callspec.params if hasattr(item, "callspec") else {}
        error = call.excinfo.exconly() if call.excinfo else ""
        note_round(
            item.config.stash[ROUNDS],
            Round(
                row=row_of(item),
                test=name_of(item),
                round=params.get("fault_round", 1),
                seed=item.config.option.seed,
                passed=report.passed,
                seconds=round(report.duration, 1),
                measured=dict(measured),
                error=" ".join(error.split())[:300],
                rotation=item.get_closest_marker("rotation") is not None,
                commit=item.config.stash[COMMIT],
            ),
        )
        _write_report(item.config)
    return report


def _write_report(config: pytest.Config) -> None:
    """After every round, so that a run that is cut short has told what it found."""
    if config.option.fault_report is not None:
        rounds = [one._asdict() for one in config.stash[ROUNDS]]
        config.option.fault_report.write_text(json.dumps(rounds, indent=1) + "\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rounds = config.stash[ROUNDS]
    if not rounds:
        return
    terminalreporter.section(f"fault matrix, seed {config.option.seed}")
    for line in table(rows_of(rounds)):
        terminalreporter.write_line(line)
    if config.option.fault_report is not None:
        terminalreporter.write_line(f"written to {config.option.fault_report}")
