"""Every state of the protocol's model: the invariants hold, and each step is there for a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model.breaking import BREAKS
from tests.model.checker import Machine, check, replay
from tests.model.invariants import broken
from tests.model.protocol import machine
from tests.model.scenarios import QUICK, without
from tests.model.steps import Step

FEWEST_STATES = 100
SLOW = {Step.CHECKED_ROUND}
"""Broken by `python -m tests.model` alone: it takes 136,000 states to get there."""


@pytest.mark.parametrize("name", QUICK)
def test_in_no_reachable_state_an_invariant_is_broken(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    outcome = check(machine(QUICK[name]))

    record_property("states", outcome.states)
    assert outcome.violation is None
    assert outcome.states > FEWEST_STATES


@pytest.mark.parametrize(
    "step", [step for step in Step if BREAKS[step].scenario in QUICK], ids=lambda s: s.name
)
def test_without_a_step_an_invariant_breaks_and_the_trace_leads_there(step: Step) -> None:
    scenario = without(BREAKS[step].scenario, step)
    model = machine(scenario)

    violation = check(model).violation

    assert violation is not None
    assert violation.invariant == BREAKS[step].invariant
    assert broken(scenario, replay(model, violation.trace), ends=False) == violation.invariant


def test_every_step_is_shown_to_be_needed() -> None:
    assert set(BREAKS) == set(Step)


def test_the_checker_finds_the_shortest_way() -> None:
    def actions(state: int) -> list[tuple[str, int]]:
        return [("add 1", state + 1), ("add 3", state + 3)] if state < 10 else []

    outcome = check(Machine(0, actions, lambda state, ends: "not 7" if state == 7 else None))

    assert outcome.violation is not None
    assert len(outcome.violation.trace) == 3
    assert replay(Machine(0, actions, lambda state, ends: None), outcome.violation.trace) == 7


def test_the_checker_sees_a_state_in_which_nothing_can_happen() -> None:
    outcome = check(
        Machine(0, lambda state: [("go", 1)] if state == 0 else [], lambda _, ends: "stuck" if ends else None)
    )

    assert outcome.violation == ("stuck", ("go",))
