"""The model's state: the tags, what of them is durable, the two workers, and what may still go wrong."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from tests.model.steps import Step
from tests.model.store import NO_PANE, Log, Tag, empty

WINDOW = 1
"""Panes that count. One is enough: a pane is live, expired, or long gone."""


class Scenario(NamedTuple):
    """What is explored: a log, the tags' nodes, the step left out, and how often each thing may go wrong."""

    log: Log
    tags: int = 2
    victim: tuple[int, ...] = ()
    """Tags of the node that may lose its tail: they lose it together."""
    without: frozenset[Step] = frozenset()
    ahead: int | None = None
    """Pane to which another partition may move the window at any moment."""
    batch: int = 2
    commits: bool = True
    """Without commits the group is new each time, and only the fences say where to begin."""
    rebalances: int = 0
    lost_replies: int = 0
    refused_writes: int = 0


class Job(NamedTuple):
    """What a worker is in the middle of; `pending` are the tags still to be called."""

    kind: str
    pending: tuple[int, ...] = ()
    last: int = -1
    changes: tuple[int, ...] = ()
    firsts: tuple[int, ...] = ()
    pane: int = NO_PANE
    mark: int = NO_PANE


class Entry(NamedTuple):
    """A pane, the last of its orders, and whether the worker has known that for so long that it is durable."""

    pane: int
    last: int
    aged: bool


class Worker(NamedTuple):
    """A worker that has taken the partition, or is about to (`job.kind == "take"`)."""

    epochs: tuple[int, ...]
    fences: tuple[int, ...]
    at: int = -1
    mark: int = NO_PANE
    walked: tuple[Entry, ...] = ()
    """Panes whose orders this worker has taken away."""
    dropped: tuple[Entry, ...] = ()
    """Panes whose orders it knows to be dropped."""
    job: Job | None = None
    strangers: tuple[int, ...] = ()
    """Tags whose node is no longer in the life it was in when the partition was taken."""


class Left(NamedTuple):
    """How often each thing may still go wrong."""

    rebalances: int
    losses: int
    saves: int
    lost_replies: int
    refused_writes: int
    takes: int = 6


class State(NamedTuple):
    """Everything, and `lost`: tags that lost something since the group's member took them (a ghost, nobody sees it)."""

    tags: tuple[Tag, ...]
    durable: tuple[Tag, ...]
    workers: tuple[Worker | None, Worker | None]
    member: int
    committed: int
    ahead: bool
    lost: tuple[bool, ...]
    left: Left


def start(scenario: Scenario) -> State:
    """Nothing read, nothing written, worker 0 in the group."""
    tags = (empty(scenario.log),) * scenario.tags
    losses = int(bool(scenario.victim))
    left = Left(scenario.rebalances, losses, losses, scenario.lost_replies, scenario.refused_writes)
    return State(tags, tags, (None, None), 0, 0, False, (False,) * len(tags), left)


def live_from(mark: int) -> int:
    """The first pane that counts when the newest is `mark`."""
    return mark - WINDOW + 1


def marks(log: Log) -> tuple[int, ...]:
    """The partition's watermark after each record."""
    found, mark = [], NO_PANE
    for record in log:
        mark = max(mark, record.pane)
        found.append(mark)
    return tuple(found)


def window_end(scenario: Scenario, state: State, mark: int) -> int:
    """The newest pane of all partitions, as a worker at `mark` knows it."""
    return max(mark, scenario.ahead) if state.ahead and scenario.ahead is not None else mark


def make_durable(state: State, numbers: tuple[int, ...]) -> State:
    """What these tags hold can no longer be lost."""
    durable = tuple(
        tag if number in numbers else kept
        for number, (tag, kept) in enumerate(zip(state.tags, state.durable, strict=True))
    )
    return state._replace(durable=durable)


def lose(state: State, numbers: tuple[int, ...]) -> State:
    """These tags go back to what is durable. That happens once, so nothing needs to be remembered any more."""
    tags = tuple(
        kept if number in numbers else tag
        for number, (tag, kept) in enumerate(zip(state.tags, state.durable, strict=True))
    )
    first, second = (worker and _estranged(worker, numbers) for worker in state.workers)
    lost = tuple(before != after for before, after in zip(state.tags, tags, strict=True))
    left = state.left._replace(losses=0, saves=0)
    return state._replace(tags=tags, durable=(), workers=(first, second), lost=lost, left=left)


def _estranged(worker: Worker, numbers: tuple[int, ...]) -> Worker:
    """A worker that has begun relies on the life it met; one that is still taking tags takes nodes as they come."""
    taking = worker.job is not None and worker.job.kind in ("take", "read", "raise")
    return worker if taking else worker._replace(strangers=numbers)


def expected(scenario: Scenario, state: State) -> tuple[int, ...]:
    """How often each record has to be in the counts once everything is read and expired."""
    holders: dict[str, int] = {}
    counted = set()
    log, mark = scenario.log, NO_PANE
    for offset, record in enumerate(log):
        mark = max(mark, record.pane)
        holder = holders.get(record.order)
        if record.pane < live_from(mark) or (holder is not None and log[holder].pane >= live_from(mark)):
            continue
        holders[record.order] = offset
        counted.add(offset)
    first = live_from(window_end(scenario, state, mark))
    return tuple(int(o in counted and record.pane >= first) for o, record in enumerate(log))


def with_worker(state: State, number: int, worker: Worker | None) -> State:
    """The state with one worker changed."""
    first, second = state.workers
    return state._replace(workers=(worker, second) if number == 0 else (first, worker))


def with_tag(state: State, number: int, tag: Tag) -> State:
    """The state with one tag changed."""
    return state._replace(tags=(*state.tags[:number], tag, *state.tags[number + 1 :]))


def panes_logged(scenario: Scenario, tags: tuple[Tag, ...]) -> Set[int]:
    """Panes of which some tag holds orders."""
    return {scenario.log[offset].pane for tag in tags for offset in tag.logged}
