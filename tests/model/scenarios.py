"""What is explored: three logs, and what may go wrong with each."""

from __future__ import annotations

from tests.model.steps import Step
from tests.model.store import Record
from tests.model.world import Scenario

BOTH = (0, 1)

DUPLICATES = (Record("x", 0, 0, BOTH), Record("y", 0, 1, BOTH), Record("x", 0, 0, BOTH))
"""Two orders whose ids belong to different tags, then the first one once more."""
EXPIRY = (Record("x", 0, 0, BOTH), Record("y", 0, 1, BOTH), Record("w", 2, 0, (0,)))
"""Two orders of a pane, and one so much later that the pane has left the window; it touches one tag alone."""
REUSE = (Record("x", 0, 0, BOTH), Record("x", 2, 0, BOTH))
"""An order id that is used again after its first order left the window."""

QUICK = {
    "duplicates, a zombie, no answer, no memory": Scenario(
        DUPLICATES, rebalances=1, lost_replies=1, refused_writes=1
    ),
    "duplicates, tag 0 lost": Scenario(DUPLICATES, victim=(0,)),
    "expiry, a zombie, no answer": Scenario(EXPIRY, commits=False, rebalances=1, lost_replies=1),
    "expiry, tag 0 lost": Scenario(EXPIRY, commits=False, victim=(0,)),
    "expiry, tag 1 lost": Scenario(EXPIRY, commits=False, victim=(1,)),
    "another partition ahead, tag 0 lost": Scenario(EXPIRY, commits=False, ahead=3, victim=(0,)),
    "another partition ahead, tag 1 lost": Scenario(EXPIRY, commits=False, ahead=3, victim=(1,)),
    "an id used again, a zombie, no answer": Scenario(REUSE, commits=False, rebalances=1, lost_replies=1),
    "an id used again, tag 0 lost": Scenario(REUSE, commits=False, victim=(0,)),
    "an id used again, tag 1 lost": Scenario(REUSE, commits=False, victim=(1,)),
}
"""Explored whole at every test run."""

LONG = {
    "an id used again, a zombie, both tags lost": Scenario(REUSE, commits=False, victim=BOTH, rebalances=1),
    "duplicates, a zombie, tag 0 lost": Scenario(DUPLICATES, rebalances=1, victim=(0,)),
    "duplicates, a zombie, tag 1 lost": Scenario(DUPLICATES, rebalances=1, victim=(1,)),
    "duplicates, a zombie, both tags lost": Scenario(DUPLICATES, rebalances=1, victim=BOTH),
    "expiry, a zombie, tag 0 lost": Scenario(EXPIRY, commits=False, rebalances=1, victim=(0,)),
    "expiry, a zombie, tag 1 lost": Scenario(EXPIRY, commits=False, rebalances=1, victim=(1,)),
    "another partition ahead, a zombie, no answer": Scenario(
        EXPIRY, commits=False, ahead=3, rebalances=1, lost_replies=1
    ),
}
"""Explored by `python -m tests.model`, with the others: some minutes."""

SCENARIOS = {**QUICK, **LONG}


def without(scenario: str, step: Step) -> Scenario:
    """A scenario with one step of the protocol left out."""
    return SCENARIOS[scenario]._replace(without=frozenset({step}))
