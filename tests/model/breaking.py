"""For each step of the protocol a scenario in which leaving it out breaks an invariant, and which one."""

from __future__ import annotations

from typing import NamedTuple

from tests.model.steps import Step

TWICE = "no order is counted twice"
NEGATIVE = "nothing is taken away that was not counted"
EXACT = "at rest the counts are exact"
COMMITTED = "what is committed is in every tag"

_AHEAD = "another partition ahead, tag 0 lost"
_REUSE = "an id used again, a zombie, no answer"
_TROUBLE = "duplicates, a zombie, no answer, no memory"


class Break(NamedTuple):
    """A scenario by name, and the invariant the shortest counter-example breaks."""

    scenario: str
    invariant: str


BREAKS: dict[Step, Break] = {
    Step.FENCE: Break(_REUSE, TWICE),
    Step.STRADDLE: Break(_REUSE, TWICE),
    Step.CLAIM: Break(_TROUBLE, EXACT),
    Step.POSITION: Break(_REUSE, NEGATIVE),
    Step.LOGGED_COUNTS: Break(_REUSE, NEGATIVE),
    Step.EPOCH: Break(_REUSE, NEGATIVE),
    Step.EPOCH_FIRST: Break("an id used again, a zombie, both tags lost", EXACT),
    Step.SERVER_LIFE: Break("an id used again, tag 0 lost", NEGATIVE),
    Step.CHECKED_ROUND: Break("expiry, a zombie, tag 0 lost", EXACT),
    Step.LOWEST_FENCE: Break("duplicates, tag 0 lost", EXACT),
    Step.MOVE_FENCE: Break(_TROUBLE, COMMITTED),
    Step.COMMIT_LAST: Break(_TROUBLE, COMMITTED),
    Step.WATERMARK_LAST: Break(_REUSE, NEGATIVE),
    Step.EXPIRY_FENCE: Break(_REUSE, NEGATIVE),
    Step.HANDLED_ONLY: Break(_AHEAD, NEGATIVE),
    Step.OWN_WATERMARK: Break(_AHEAD, NEGATIVE),
    Step.KEEP_ORDERS: Break("an id used again, tag 1 lost", EXACT),
    Step.KEEP_FENCES: Break("an id used again, tag 0 lost", NEGATIVE),
    Step.READ_PAST: Break("an id used again, tag 0 lost", NEGATIVE),
    Step.ALL_OR_NOTHING: Break(_TROUBLE, EXACT),
}
