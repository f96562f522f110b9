"""Whatever two workers do to the same tables at the same time, and one loss of nodes between: the counts are exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stream.tables import memory_scripts
from tests.contract.orders import erased, order, returned
from tests.model.stepped_store import Nodes, at_once
from tests.model.two_workers import (
    DURABLE_AFTER_S,
    ERASURES,
    ORDERS,
    RETURNS,
    SKUS,
    SOURCES,
    TAGS,
    Log,
    Worker,
)

EXAMPLES, STEPS = (5_000, 120) if settings.get_current_profile_name() == "long" else (60, 60)
"""`pytest tests/model --hypothesis-profile=long` looks longer."""

SEARCH = settings(
    max_examples=300,
    stateful_step_count=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
)
"""For what is known to be there: the same examples each time, and no shorter one is looked for."""

WORKERS = st.integers(0, 1)
SKU_SETS = st.text(SKUS, min_size=1, max_size=3)
CUSTOMERS = st.sampled_from([None, "ann", "bob"])


class TwoWorkers(RuleBasedStateMachine):
    """The log grows, partitions change hands, calls stand still in the midst, nodes go back once."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes, self.log = Nodes(TAGS), Log()
        self.workers = [Worker(self.nodes, self.log) for _ in range(2)]
        self.day, self.rolled_back = 0.0, False

    @initialize()
    def begin(self) -> None:
        """The first worker takes everything."""
        for source in SOURCES:
            at_once(self.workers[0].take(source))

    @rule(
        number=st.integers(0, 6),
        partition=st.integers(0, 1),
        skus=SKU_SETS,
        customer=CUSTOMERS,
        later=st.sampled_from([0, 0, 0, 1, 3]),
        back=st.integers(0, 2),
    )
    def sell(
        self, number: int, partition: int, skus: str, customer: str | None, later: int, back: int
    ) -> None:
        """An order; of an id that was used before, it is one sent twice."""
        earlier = [e for p in (0, 1) for e in self.log.records[ORDERS, p] if e.order_id == str(number)]
        self.day += later
        day = max(0.0, self.day - back)
        placed = earlier[0] if earlier else order(str(number), skus, day=day, customer=customer)
        where = partition if not earlier else 0 if earlier[0] in self.log.records[ORDERS, 0] else 1
        self.log.records[ORDERS, where].append(placed)

    @rule(number=st.integers(0, 7), skus=st.text(SKUS, max_size=2), event=st.integers(0, 5))
    def bring_back(self, number: int, skus: str, event: int) -> None:
        """A return, perhaps of an order still to come, perhaps sent twice. Made when its order was."""
        sent = [e for e in self.log.records[RETURNS, 0] if e.event_id == f"r{event}"]
        self.log.records[RETURNS, 0].append(
            sent[0] if sent else returned(str(number), skus, event_id=f"r{event}", day=self.day)
        )

    @rule(customer=st.sampled_from(["ann", "bob"]))
    def ask_to_be_forgotten(self, customer: str) -> None:
        """An erasure of what the customer did up to now."""
        events = self.log.records[ERASURES, 0]
        events.append(erased(customer, day=self.day, event_id=f"e{len(events)}"))

    @rule(worker=WORKERS, source=st.sampled_from(SOURCES))
    def take(self, worker: int, source: tuple[str, int]) -> None:
        """A rebalance gives a partition to a worker; who had it does not hear of it."""
        self.workers[worker].begin(self.workers[worker].take(source))

    @rule(worker=WORKERS, source=st.sampled_from(SOURCES), most=st.integers(1, 4))
    def read(self, worker: int, source: tuple[str, int], most: int) -> None:
        """A worker begins a batch."""
        self.workers[worker].begin(self.workers[worker].read(source, most))

    @rule(worker=WORKERS, source=st.sampled_from(SOURCES))
    def commit(self, worker: int, source: tuple[str, int]) -> None:
        """A worker begins to bring the tags along."""
        self.workers[worker].begin(self.workers[worker].commit(source))

    @rule(worker=WORKERS)
    def upkeep(self, worker: int) -> None:
        """A worker begins a round of upkeep."""
        self.workers[worker].begin(self.workers[worker].upkeep())

    @rule(worker=WORKERS, turns=st.integers(1, 8))
    def go_on(self, worker: int, turns: int) -> None:
        """A worker gets a little further."""
        self.workers[worker].go_on(turns)

    @rule(worker=WORKERS)
    def crash(self, worker: int) -> None:
        """A worker dies, and starts anew."""
        self.workers[worker].crash()

    @rule(seconds=st.sampled_from([1.0, DURABLE_AFTER_S]))
    def wait(self, seconds: float) -> None:
        """Time passes: what was written by then may be durable."""
        self.nodes.now += seconds

    @precondition(lambda self: not self.rolled_back)
    @rule(depths=st.tuples(*[st.sampled_from([0, 1, 3, 10, 40])] * TAGS))
    def go_back(self, depths: tuple[int, ...]) -> None:
        """Nodes lose what they were told last, each as much as it likes."""
        self.rolled_back = True
        for tag, depth in enumerate(depths):
            if depth:
                self.nodes.go_back(tag, depth, not_before=self.nodes.now - DURABLE_AFTER_S / 2)

    def teardown(self) -> None:
        """Whoever is in the midst of something ends it; then one worker does all that is left."""
        for worker in self.workers:
            worker.go_on(None)
        self.workers[1].finish()
        found, wanted = self.workers[1].found(), self.log.wanted()
        assert found == wanted, (
            [row for row in wanted if row not in found],
            [r for r in found if r not in wanted],
        )


def fence_never_holds(data: Any, key: bytes, field: str) -> int:
    """Of a tag that forgets how far it is."""
    return -1


def claim_everything(data: Any, keys: Any, args: Any) -> list[Any]:
    """Every order counts, also one that another record placed."""
    code, verdicts = CLAIM(data, keys, args)
    return [code, b"1" * len(verdicts) if code == 0 else verdicts]


CLAIM, FENCE_OF = memory_scripts.SCRIPTS["claim"], memory_scripts._fence_of


@pytest.mark.parametrize("broken", [fence_never_holds, claim_everything], ids=["fence", "claim"])
def test_tables_that_are_broken_on_purpose_are_found_out(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Any]
) -> None:
    monkeypatch.setattr(memory_scripts, "_fence_of", broken if broken is fence_never_holds else FENCE_OF)
    monkeypatch.setitem(memory_scripts.SCRIPTS, "claim", broken if broken is claim_everything else CLAIM)

    with pytest.raises(AssertionError, match="'table': '"):
        run_state_machine_as_test(TwoWorkers, settings=SEARCH)


TwoWorkers.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, print_blob=True
)
TestTwoWorkers = TwoWorkers.TestCase
