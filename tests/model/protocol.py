"""The protocol: what a worker does next, one call of one tag at a time, and what can come in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from tests.model import expiring, store
from tests.model.checker import Machine
from tests.model.invariants import broken
from tests.model.steps import Step
from tests.model.store import ALREADY, STRADDLES
from tests.model.world import (
    Entry,
    Job,
    Scenario,
    State,
    Worker,
    live_from,
    lose,
    make_durable,
    marks,
    start,
    with_tag,
    with_worker,
)

Moves = Iterable[tuple[str, State]]


def machine(scenario: Scenario) -> Machine[State]:
    """The model of a scenario, for the checker."""
    rules = Protocol(scenario)
    return Machine(start(scenario), rules.actions, partial(broken, scenario))


class Protocol:
    """All that may happen in a state."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.without = scenario, scenario.without
        self.marks = marks(scenario.log)

    def actions(self, state: State) -> Iterator[tuple[str, State]]:
        """Every action that is possible, with its outcome."""
        yield from self._environment(state)
        for number, worker in enumerate(state.workers):
            if worker is None:
                if number == state.member and state.left.takes:
                    yield f"{number} starts", with_worker(self._taking(state), number, self._newcomer())
            elif worker.job is None:
                if number != state.member:
                    continue
                for label, following in self._idle(state, number, worker):
                    yield f"{number} {label}", following
            else:
                for label, following in self._call(state, number, worker, worker.job):
                    yield f"{number} {label}", following

    # -- what nobody asked for

    def _environment(self, state: State) -> Moves:
        left = state.left
        if self.scenario.ahead is not None and not state.ahead:
            yield "another partition moves the window", state._replace(ahead=True)
        if (later := expiring.pass_grace(state)) is not None:
            yield "the grace time passes", later
        if left.rebalances and state.workers[state.member] is not None:
            other = 1 - state.member
            moved = self._taking(state)._replace(
                member=other, left=left._replace(rebalances=left.rebalances - 1, takes=left.takes - 1)
            )
            yield f"rebalance to {other}", with_worker(moved, other, self._newcomer())
        victim = self.scenario.victim
        if left.losses and any(state.durable[number] != state.tags[number] for number in victim):
            yield f"tags {victim} lose their tail", lose(state, victim)
            if left.saves:
                kept = make_durable(state, victim)._replace(left=left._replace(saves=0))
                yield f"tags {victim} make their writes durable", kept

    # -- taking a partition

    def _newcomer(self) -> Worker:
        if Step.EPOCH_FIRST in self.without:
            return Worker((), (), job=Job("read", tuple(range(self.scenario.tags))))
        return Worker((), (), job=Job("take", tuple(range(self.scenario.tags))))

    def _taking(self, state: State) -> State:
        return state._replace(left=state.left._replace(takes=state.left.takes - 1))

    def _take(self, state: State, number: int, worker: Worker, job: Job) -> Moves:
        tag_number, *rest = job.pending
        tag = state.tags[tag_number]
        if job.kind in ("take", "raise"):
            epoch = tag.epoch + 1
            tag = tag._replace(epoch=epoch)
            worker = worker._replace(epochs=(*worker.epochs, epoch))
            state = with_tag(state, tag_number, tag)
        if job.kind in ("take", "read"):
            worker = worker._replace(fences=(*worker.fences, tag.fence))
        if number == state.member and job.kind in ("take", "raise"):
            state = state._replace(lost=(*state.lost[:tag_number], False, *state.lost[tag_number + 1 :]))
        if rest:
            worker = worker._replace(job=job._replace(pending=tuple(rest)))
        elif job.kind == "read":
            worker = worker._replace(job=Job("raise", tuple(range(self.scenario.tags))))
        else:
            worker = self._begun(state, worker)
        yield f"{job.kind}s tag {tag_number}", with_worker(state, number, worker)

    def _refuses(self, tag: store.Tag, number: int, worker: Worker) -> bool:
        """Another worker took over, or the tag's node is not the one that was relied on."""
        if Step.EPOCH not in self.without and tag.epoch != worker.epochs[number]:
            return True
        return Step.SERVER_LIFE not in self.without and number in worker.strangers

    def _begun(self, state: State, worker: Worker) -> Worker:
        if state.committed and max(worker.fences) < 0:
            return worker._replace(job=Job("refused"))
        lowest = min(worker.fences)
        begin = lowest + 1 if not self.scenario.commits else min(state.committed, lowest + 1)
        if Step.LOWEST_FENCE in self.without:
            begin = state.committed
        mark = self.marks[lowest] if lowest >= 0 else store.NO_PANE
        return worker._replace(at=begin - 1, mark=mark, job=None)

    # -- between calls

    def _idle(self, state: State, number: int, worker: Worker) -> Moves:
        last_offset = len(self.scenario.log) - 1
        for last in range(worker.at + 1, min(worker.at + self.scenario.batch, last_offset) + 1):
            yield self._fetch(state, number, worker, last)
        if self.scenario.commits and worker.at + 1 > state.committed:
            if Step.MOVE_FENCE in self.without or min(worker.fences) >= worker.at:
                yield self._commit(state, number, worker)
            else:
                behind = tuple(t for t in range(self.scenario.tags) if worker.fences[t] < worker.at)
                yield (
                    "is about to commit",
                    with_worker(state, number, worker._replace(job=Job("move", behind))),
                )
        yield from expiring.begin(self.scenario, state, number, worker)

    def _fetch(self, state: State, number: int, worker: Worker, last: int) -> tuple[str, State]:
        batch = range(worker.at + 1, last + 1)
        mark, judged = worker.mark, []
        for offset in batch:
            mark = max(mark, self.scenario.log[offset].pane)
            if offset > min(worker.fences) and self.scenario.log[offset].pane >= live_from(mark):
                judged.append((offset, live_from(mark)))
        if Step.COMMIT_LAST in self.without and number == state.member:
            state = state._replace(committed=max(state.committed, last + 1))
        if Step.WATERMARK_LAST in self.without:
            worker = worker._replace(mark=mark)
        tags = tuple(sorted({self.scenario.log[offset].tag for offset, _ in judged}))
        job = Job("claim", tags, last, tuple(o for o, _ in judged), tuple(f for _, f in judged), mark=mark)
        return f"reads {batch[0]}..{last}", with_worker(state, number, self._after_claims(worker, job))

    def _commit(self, state: State, number: int, worker: Worker) -> tuple[str, State]:
        if number != state.member:
            return "is told that it may not commit", with_worker(state, number, None)
        committed = max(state.committed, worker.at + 1)
        return f"commits {committed}", state._replace(committed=committed)

    # -- one call of one tag

    def _call(self, state: State, number: int, worker: Worker, job: Job) -> Moves:
        if job.kind in ("take", "read", "raise"):
            yield from self._take(state, number, worker, job)
            return
        for tag_number in job.pending:
            name = f"{job.kind}s {self._what(job)} in tag {tag_number}"
            tag = state.tags[tag_number]
            if self._refuses(tag, tag_number, worker):
                yield f"{name}: refused", with_worker(state, number, None)
                continue
            changed, told = self._effect(worker, job, tag_number, tag)
            done = with_tag(state, tag_number, changed)
            yield name, with_worker(done, number, told)
            if state.left.lost_replies and changed != tag:
                left = state.left._replace(lost_replies=state.left.lost_replies - 1)
                retry = with_worker(done._replace(left=left), number, worker._replace(job=None))
                yield f"{name}, hears no answer", retry
            if state.left.refused_writes and changed != tag and job.kind == "apply":
                left = state.left._replace(refused_writes=state.left.refused_writes - 1)
                full = tag._replace(fence=job.last) if Step.ALL_OR_NOTHING in self.without else tag
                refused = with_tag(state._replace(left=left), tag_number, full)
                yield f"{name}: no memory", with_worker(refused, number, worker._replace(job=None))

    def _what(self, job: Job) -> str:
        if job.kind in ("walk", "drop"):
            return f"pane {job.pane}"
        return "fence" if job.kind == "move" else ",".join(map(str, job.changes))

    def _effect(self, worker: Worker, job: Job, number: int, tag: store.Tag) -> tuple[store.Tag, Worker]:
        """The tag after the call, and the worker once it has the answer."""
        log = self.scenario.log
        if job.kind == "claim":
            return self._claimed(worker, job, number, tag)
        if job.kind == "apply":
            return self._applied(worker, job, number, tag)
        if job.kind == "move":
            changed = store.move_fence(tag, worker.at, worker.mark)
            return changed, _heard(worker, number, max(worker.at, changed.fence), _without(job, number))
        if job.kind == "walk":
            mine = tuple(o for o in job.changes if number in log[o].touches)
            changed = store.take_away(tag, job.pane, mine, job.last, self.without)
            told = _heard(worker, number, None, _without(job, number))
            if told.job is None:
                kept = (entry for entry in told.walked if entry.pane != job.pane)
                told = told._replace(walked=tuple(sorted((*kept, Entry(job.pane, job.last, False)))))
            return changed, told
        changed = store.drop_pane(tag, log, job.pane)
        return changed, _heard(worker, number, None, _without(job, number))

    def _claimed(self, worker: Worker, job: Job, number: int, tag: store.Tag) -> tuple[store.Tag, Worker]:
        log = self.scenario.log
        mine = tuple((o, f) for o, f in zip(job.changes, job.firsts, strict=True) if log[o].tag == number)
        changed, won = store.claim(tag, log, mine, self.without)
        kept = [
            (o, f) for o, f in zip(job.changes, job.firsts, strict=True) if log[o].tag != number or o in won
        ]
        job = job._replace(
            pending=tuple(t for t in job.pending if t != number),
            changes=tuple(o for o, _ in kept),
            firsts=tuple(f for _, f in kept),
        )
        worker = _heard(worker, number, None, job)
        return changed, self._after_claims(worker, job)

    def _after_claims(self, worker: Worker, job: Job) -> Worker:
        if job.pending:
            return worker._replace(job=job)
        touched = tuple(sorted({tag for offset in job.changes for tag in self.scenario.log[offset].touches}))
        firsts = tuple(job.changes[0] for _ in touched) if job.changes else ()
        return _settled(worker, job._replace(kind="apply", pending=touched, firsts=firsts))

    def _applied(self, worker: Worker, job: Job, number: int, tag: store.Tag) -> tuple[store.Tag, Worker]:
        first = job.firsts[job.pending.index(number)]
        mine = tuple(o for o in job.changes if o >= first and number in self.scenario.log[o].touches)
        last = job.changes[-1]
        changed, code = store.apply(tag, mine, first, last, self.marks[last], self.without)
        if code == STRADDLES:
            firsts = tuple(
                tag.fence + 1 if t == number else f for t, f in zip(job.pending, job.firsts, strict=True)
            )
            return changed, _heard(worker, number, tag.fence, job._replace(firsts=firsts))
        fence = tag.fence if code == ALREADY else last
        rest = [(t, f) for t, f in zip(job.pending, job.firsts, strict=True) if t != number]
        job = job._replace(pending=tuple(t for t, _ in rest), firsts=tuple(f for _, f in rest))
        return changed, _settled(_heard(worker, number, fence, job), job)


def _settled(worker: Worker, job: Job) -> Worker:
    """Once every tag has the batch it is handled, and the watermark rises."""
    if job.pending:
        return worker._replace(job=job)
    return worker._replace(at=job.last, mark=max(worker.mark, job.mark), job=None)


def _without(job: Job, number: int) -> Job | None:
    rest = tuple(tag for tag in job.pending if tag != number)
    return job._replace(pending=rest) if rest else None


def _heard(worker: Worker, number: int, fence: int | None, job: Job | None) -> Worker:
    """The worker with what the answer told it."""
    fences = worker.fences
    if fence is not None:
        fences = (*fences[:number], fence, *fences[number + 1 :])
    return worker._replace(fences=fences, job=job)
