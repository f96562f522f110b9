"""The list of scenarios is whole: each one has a test of this folder, or says what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenarios.list import SCENARIOS, Scenario
from tests.scenarios.plugin import Outcome, result, rows

MARK = re.compile(r'@pytest\.mark\.scenario\("(S\d\d)"\)')
COVERED = {
    ident
    for path in Path(__file__).parent.glob("test_*.py")
    for ident in MARK.findall(path.read_text("utf-8"))
}


def test_the_list_has_every_number_once_and_in_order() -> None:
    assert [scenario.id for scenario in SCENARIOS] == [f"S{number:02d}" for number in range(1, 45)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_a_scenario_has_a_test_or_says_what_it_lacks(scenario: Scenario) -> None:
    assert (scenario.id in COVERED) != bool(scenario.missing)


def test_a_scenario_fails_with_any_of_its_tests_and_is_listed_without_one() -> None:
    here, there = Scenario("S01", "said"), Scenario("S02", "said", "no clock")
    good, bad = Outcome("hotel", "test_a", passed=True), Outcome("rail", "test_b", passed=False)

    assert [result(here, found) for found in ([], [good], [good, bad])] == ["not run", "passed", "failed"]
    assert list(rows(there, [])) == [("S02", "missing", "said", "", "no clock")]
    assert list(rows(here, [good, bad])) == [
        ("S01", "passed", "said", "hotel", "test_a"),
        ("", "failed", "", "rail", "test_b"),
    ]
