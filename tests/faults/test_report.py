"""The table of rows: what it says of green and red rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults.report import Round, latest, main, note_round, read_rounds, rows_of, table


def one(row: int, test: str, number: int, passed: bool, **measured: Any) -> Round:
    return Round(row, test, number, 7, passed, 1.5, measured, "" if passed else "I1 does not hold", False)


def test_a_row_tells_rounds_seeds_and_sums_and_every_red_round_its_reason(tmp_path: Path) -> None:
    rounds = [
        one(4, "test_a_zombie", 1, True, records=10, caught_up_s=2.5, suggestions_twice=1),
        one(4, "test_a_zombie", 2, False, records=20, caught_up_s=1.5),
        one(1, "test_killed", 1, True),
    ]
    path = tmp_path / "report.json"
    path.write_text(json.dumps([r._asdict() for r in rounds]))
    lines = table(rows_of(read_rounds([path])))

    assert [line.split("|")[1].strip() for line in lines[:4]] == ["row", "-" * 3, "1", "4"]
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert cells == ["4", "a zombie", "2", "1", "7", "30", "2.5 s", "1", "0"]
    assert "2 of 3 rounds green, 2 rows of the matrix" in lines
    assert lines[-1] == "red: row 4, test_a_zombie, round 2, seed 7: I1 does not hold"


def test_the_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    page.write_text("before\n<!-- rows -->\nold\n<!-- end of rows -->\nafter\n")
    report.write_text(json.dumps([one(1, "test_killed", 1, True)._asdict()]))
    main([str(report), "--into", str(page)])
    text = page.read_text()

    assert text.startswith("before\n<!-- rows -->\n| row |")
    assert text.endswith("1 of 1 rounds green, 1 rows of the matrix\n<!-- end of rows -->\nafter\n")


def test_the_latest_report_of_a_test_stands_for_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps([one(1, "test_a", 1, False)._asdict(), one(2, "test_b", 1, True)._asdict()]))
    second.write_text(json.dumps([one(1, "test_a", 1, True)._asdict()]))
    assert [(r.test, r.passed) for r in latest([first, second])] == [("test_a", True), ("test_b", True)]


def test_neighbouring_seeds_are_one_range_and_each_commit_has_its_sum(tmp_path: Path) -> None:
    rounds = [one(1, "test_killed", 1, True)._replace(seed=seed, commit="abc1234") for seed in (9, 7, 8, 12)]
    rounds.append(one(1, "test_killed", 1, False)._replace(commit="def5678"))
    lines = table(rows_of(rounds))

    assert [cell.strip() for cell in lines[2].strip("|").split("|")][4] == "7-9, 12"
    assert lines[5:7] == [
        "commit abc1234: 4 of 4 rounds green",
        "commit def5678: 0 of 1 rounds green",
    ]
    assert lines[7] == "red: row 1, test_killed, round 1, seed 7, commit def5678: I1 does not hold"


def test_a_round_that_fails_when_it_is_taken_down_is_one_red_round() -> None:
    rounds: list[Round] = []
    note_round(rounds, one(1, "test_a", 1, True))
    note_round(rounds, one(1, "test_a", 1, False))
    note_round(rounds, one(1, "test_a", 2, True))

    assert [(r.round, r.passed, r.error) for r in rounds] == [(1, False, "I1 does not hold"), (2, True, "")]
