"""The table of rows, rounds, seeds and results: at the end of a run, and for docs/reliability.md.

python -m tests.faults.report REPORT.json [MORE.json ...]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Round(NamedTuple):
    """One round of one test."""

    row: int
    test: str
    round: int
    seed: int
    passed: bool
    seconds: float
    measured: dict[str, Any]
    error: str
    rotation: bool
    commit: str = ""
    """The commit of the code that ran, `-dirty` behind it when files differed from it."""


class Row(NamedTuple):
    """All rounds of one test."""

    row: int
    test: str
    rounds: Sequence[Round]

    @property
    def green(self) -> int:
        """Rounds in which everything held."""
        return sum(r.passed for r in self.rounds)

    @property
    def seeds(self) -> str:
        """The seeds of the runs these rounds come from; those that follow each other as `first-last`."""
        return ", ".join(
            str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
            for run in _runs({r.seed for r in self.rounds})
        )

    def total(self, fact: str) -> int:
        """Sum of a measured number."""
        return sum(int(r.measured.get(fact, 0)) for r in self.rounds)

    def most(self, fact: str) -> float:
        """Largest of a measured number."""
        return max((float(r.measured.get(fact, 0)) for r in self.rounds), default=0.0)


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """The numbers in order, each run of neighbours a list."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


BEGIN, END = "<!-- rows -->", "<!-- end of rows -->"
HEADS = ("row", "test", "rounds", "green", "seeds", "records", "caught up", "twice", "MiB")


def note_round(rounds: list[Round], one: Round) -> None:
    """Add what was seen of a round; what fails when it is taken down makes a round red that was noted already."""
    if rounds and (rounds[-1].test, rounds[-1].round) == (one.test, one.round):
        before = rounds.pop()
        error = "; then ".join(text for text in (before.error, one.error) if text)
        one = before._replace(passed=before.passed and one.passed, error=error)
    rounds.append(one)


def rows_of(rounds: Iterable[Round]) -> list[Row]:
    """Rounds by row and test, in the order of the matrix."""
    found: dict[tuple[int, str], list[Round]] = {}
    for one in rounds:
        found.setdefault((one.row, one.test), []).append(one)
    return [Row(row, test, rounds) for (row, test), rounds in sorted(found.items())]


def table(rows: Sequence[Row]) -> list[str]:
    """A Markdown table with a line a test, then the sum, the commits that ran, and what failed."""
    cells = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADS))]
    lines = [_line(cells[0], widths), _line(["-" * width for width in widths], widths)]
    lines += [_line(line, widths) for line in cells[1:]]
    rounds, green = sum(len(row.rounds) for row in rows), sum(row.green for row in rows)
    matrix = len({row.row for row in rows if row.row})
    lines += ["", f"{green} of {rounds} rounds green, {matrix} rows of the matrix"]
    lines += _commits(rows)
    for row in rows:
        for one in row.rounds:
            if not one.passed:
                of = f", commit {one.commit}" if one.commit else ""
                lines.append(
                    f"red: row {one.row}, {one.test}, round {one.round}, seed {one.seed}{of}: {one.error}"
                )
    return lines


def _commits(rows: Sequence[Row]) -> list[str]:
    """How many rounds ran on which commit, in the order of the reports."""
    ran: dict[str, list[bool]] = {}
    for row in rows:
        for one in row.rounds:
            ran.setdefault(one.commit, []).append(one.passed)
    return [
        f"commit {commit}: {sum(passed)} of {len(passed)} rounds green"
        for commit, passed in ran.items()
        if commit
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.row) if row.row else "–",
        row.test.removeprefix("test_").replace("_", " "),
        str(len(row.rounds)),
        str(row.green),
        row.seeds,
        str(row.total("records")),
        f"{row.most('caught_up_s'):.1f} s",
        str(row.total("suggestions_twice")),
        f"{row.most('rss_mib'):.0f}",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def read_rounds(paths: Iterable[Path]) -> list[Round]:
    """The rounds of reports, later ones after earlier ones."""
    return [Round(**one) for path in paths for one in json.loads(path.read_text())]


def latest(paths: Iterable[Path]) -> list[Round]:
    """Of each test the rounds of the last report that has it."""
    found: dict[tuple[int, str], list[Round]] = {}
    for path in paths:
        rows = rows_of(read_rounds([path]))
        found.update({(row.row, row.test): list(row.rounds) for row in rows})
    return [one for rounds in found.values() for one in rounds]


def put_into(page: Path, lines: Sequence[str]) -> None:
    """Put the table between the page's marks, in place of the one that is there."""
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}")


def main(arguments: Sequence[str]) -> None:
    """Print the table of the reports, or put it into a page."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.report")
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, metavar="PAGE")
    parser.add_argument("--latest", action="store_true", help="of each test the last report that has it")
    given = parser.parse_args(arguments)
    rounds = latest(given.reports) if given.latest else read_rounds(given.reports)
    lines = table(rows_of(rounds))
    if given.into is None:
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        put_into(given.into, lines)


if __name__ == "__main__":
    main(sys.argv[1:])
