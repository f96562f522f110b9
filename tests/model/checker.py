"""A breadth-first checker: every state that can be reached, and the shortest way to one that must not be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Violation(NamedTuple):
    """The invariant that broke, and the actions that lead there, from the start."""

    invariant: str
    trace: tuple[str, ...]


class Outcome(NamedTuple):
    """How many states were reached, how many actions were tried, and the first violation if there was one."""

    states: int
    actions: int
    violation: Violation | None


class Machine(Generic[S]):
    """What the checker needs to know of a model."""

    def __init__(
        self,
        start: S,
        actions: Callable[[S], Iterable[tuple[str, S]]],
        broken: Callable[[S, bool], str | None],
    ) -> None:
        self.start, self.actions, self.broken = start, actions, broken
        """`broken(state, ends)` names the invariant a state breaks; `ends` says that nothing can happen any more."""


def check(machine: Machine[S], most_states: int = 10_000_000) -> Outcome:
    """Visit every reachable state, nearest first. Raises RuntimeError when there are more than `most_states`."""
    came_from: dict[S, tuple[S, str] | None] = {machine.start: None}
    frontier, tried = [machine.start], 0
    while frontier:
        following: list[S] = []
        for state in frontier:
            ends = True
            for label, successor in machine.actions(state):
                ends = False
                tried += 1
                if successor not in came_from:
                    came_from[successor] = (state, label)
                    following.append(successor)
            if (name := machine.broken(state, ends)) is not None:
                return Outcome(len(came_from), tried, Violation(name, _trace(came_from, state)))
        if len(came_from) > most_states:
            raise RuntimeError(f"more than {most_states} states")
        frontier = following
    return Outcome(len(came_from), tried, None)


def _trace(came_from: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    labels: list[str] = []
    while (origin := came_from[state]) is not None:
        state, label = origin
        labels.append(label)
    return tuple(reversed(labels))


def replay(machine: Machine[S], trace: tuple[str, ...]) -> S:
    """The state a trace leads to. Raises KeyError when it cannot be followed."""
    state = machine.start
    for label in trace:
        state = dict(machine.actions(state))[label]
    return state
