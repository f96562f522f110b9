"""What must hold in every state of the protocol, and which of it a state breaks."""

from __future__ import annotations

from tests.model import expiring
from tests.model.world import Scenario, State, Worker, expected


def broken(scenario: Scenario, state: State, ends: bool) -> str | None:
    """The invariant this state breaks."""
    if any(count > 1 for tag in state.tags for count in tag.net):
        return "no order is counted twice"
    if any(count < 0 for tag in state.tags for count in tag.net):
        return "nothing is taken away that was not counted"
    nothing_lost = state.left.losses == int(bool(scenario.victim))
    if nothing_lost and state.committed > min(tag.fence for tag in state.tags) + 1:
        return "what is committed is in every tag"
    member = state.workers[state.member]
    idle = member is not None and member.job is None
    if nothing_lost and idle and member is not None and member.at + 1 < state.committed:
        return "nobody has to read behind the commit"
    resting = idle and member is not None and _resting(scenario, state, member)
    if resting and any(_differs(scenario, state, number) for number in range(scenario.tags)):
        return "at rest the counts are exact"
    refused = member is not None and member.job is not None and member.job.kind == "refused"
    if ends and not (resting or refused or any(state.lost)):
        return "work goes on to the end"
    return None


def _differs(scenario: Scenario, state: State, number: int) -> bool:
    wanted = expected(scenario, state)
    return any(
        state.tags[number].net[offset] != (wanted[offset] if number in record.touches else 0)
        for offset, record in enumerate(scenario.log)
    )


def _resting(scenario: Scenario, state: State, member: Worker) -> bool:
    done = member.at == len(scenario.log) - 1 and not any(state.lost)
    return done and not any(True for _ in expiring.walks(scenario, state, member))
