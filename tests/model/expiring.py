"""Expiry in the model: panes that left the window are walked, later dropped, later forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model import store
from tests.model.steps import Step
from tests.model.world import (
    Entry,
    Job,
    Scenario,
    State,
    Worker,
    live_from,
    make_durable,
    panes_logged,
    window_end,
    with_tag,
    with_worker,
)


def begin(scenario: Scenario, state: State, number: int, worker: Worker) -> Iterator[tuple[str, State]]:
    """The expiry work a worker may begin between two batches."""
    found = [
        (f"begins to walk pane {job.pane}", worker._replace(job=job))
        for job in walks(scenario, state, worker)
    ]
    for entry in worker.walked:
        if _may_drop(scenario, state, worker, entry):
            job = Job("drop", tuple(range(scenario.tags)), pane=entry.pane)
            found.append((f"is about to drop pane {entry.pane}", worker._replace(job=job)))
    if unknown := _left_over(scenario, state, worker) - {entry.pane for entry in worker.dropped}:
        dropped = tuple(sorted((*worker.dropped, *(Entry(pane, -1, False) for pane in unknown))))
        found.append((f"sees that {sorted(unknown)} are dropped", worker._replace(dropped=dropped)))
    if found and _is_estranged(scenario, state, worker):
        yield "meets tags that went back", with_worker(state, number, None)
        return
    for label, following in found:
        yield label, with_worker(state, number, following)
    yield from _forget(scenario, state, worker)


def _is_estranged(scenario: Scenario, state: State, worker: Worker) -> bool:
    """What a round of expiry begins with: every tag is asked for its epoch, and so every node is met."""
    epochs = tuple(tag.epoch for tag in state.tags)
    if worker.strangers and Step.SERVER_LIFE not in scenario.without:
        return True
    return Step.CHECKED_ROUND not in scenario.without and epochs != worker.epochs


def walks(scenario: Scenario, state: State, worker: Worker) -> Iterator[Job]:
    """Panes that left the window and hold orders this worker has not taken away."""
    cutoff = live_from(window_end(scenario, state, worker.mark))
    done = {entry.pane: entry.last for entry in worker.walked}
    for pane in sorted(panes_logged(scenario, state.tags)):
        logged = _logged(scenario, state, pane)
        if Step.HANDLED_ONLY not in scenario.without:
            logged = {offset for offset in logged if offset <= worker.at}
        offsets = tuple(sorted(offset for offset in logged if offset > done.get(pane, -1)))
        if pane < cutoff and offsets:
            touched = sorted({tag for offset in offsets for tag in scenario.log[offset].touches})
            yield Job("walk", tuple(touched), offsets[-1], offsets, pane=pane)


def pass_grace(state: State) -> State | None:
    """So much time passes that everything written by now is durable; None when that changes nothing for a worker."""
    if not any(not e.aged for w in state.workers if w for e in (*w.walked, *w.dropped)):
        return None
    durable = make_durable(state, tuple(range(len(state.tags)))) if state.left.losses else state
    first, second = (worker and _aged(worker) for worker in durable.workers)
    return durable._replace(workers=(first, second))


def _aged(worker: Worker) -> Worker:
    return worker._replace(
        walked=tuple(entry._replace(aged=True) for entry in worker.walked),
        dropped=tuple(entry._replace(aged=True) for entry in worker.dropped),
    )


def _logged(scenario: Scenario, state: State, pane: int) -> set[int]:
    return {offset for tag in state.tags for offset in tag.logged if scenario.log[offset].pane == pane}


def _may_drop(scenario: Scenario, state: State, worker: Worker, entry: Entry) -> bool:
    logged = _logged(scenario, state, entry.pane)
    passed = entry.pane < live_from(worker.mark) or Step.OWN_WATERMARK in scenario.without
    aged = entry.aged or Step.KEEP_ORDERS in scenario.without
    return bool(logged) and max(logged) <= entry.last and passed and aged


def _left_over(scenario: Scenario, state: State, worker: Worker) -> set[int]:
    """Panes of which only expiry fences are left, as far as a worker can tell."""
    fences = [walk for tag in state.tags for walk in tag.walks]
    panes = {walk.pane for walk in fences} - panes_logged(scenario, state.tags)
    if Step.READ_PAST not in scenario.without:
        panes -= {walk.pane for walk in fences if walk.offset > worker.at}
    return panes


def _forget(scenario: Scenario, state: State, worker: Worker) -> Iterator[tuple[str, State]]:
    aged = {e.pane for e in worker.dropped if e.aged or Step.KEEP_FENCES in scenario.without}
    ripe = aged & _left_over(scenario, state, worker)
    for tag_number, tag in enumerate(state.tags):
        if tag_number not in worker.strangers and any(walk.pane in ripe for walk in tag.walks):
            forgotten = with_tag(state, tag_number, store.forget_walks(tag, ripe))
            yield f"forgets the expiry of {sorted(ripe)} in tag {tag_number}", forgotten
