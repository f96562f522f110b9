"""P(accept) as a worker knows it: what was counted, looked at every few seconds."""

from __future__ import annotations

from stream.decisions.acceptance import NO_ACCEPTANCE, Acceptance
from stream.tables.acceptance import NOTHING_COUNTED, AcceptanceCounts, Counted, acceptance_of

AGES = 5
"""So many times as old as other counts what is known may be: chances move slowly, and are read as a whole."""

_NEVER = float("-inf")


class AcceptanceReader:
    """Reads the counts that changed, and sums them when any did."""

    def __init__(self, table: AcceptanceCounts, max_age_s: float) -> None:
        self._table, self._max_age_s = table, AGES * max_age_s
        self._counted: Counted = NOTHING_COUNTED
        self._read_s = _NEVER
        self.known: Acceptance = NO_ACCEPTANCE
        """What was read last."""

    def forget(self) -> None:
        """Read everything again at the next look."""
        self._counted, self._read_s = NOTHING_COUNTED, _NEVER

    async def look(self, now_s: float) -> None:
        """Read again when the last look is too long ago. Raises StateUnavailable."""
        if self._read_s > now_s - self._max_age_s:
            return
        counted = await self._table.read(self._counted)
        if counted != self._counted or self._counted is NOTHING_COUNTED:
            self.known = acceptance_of(counted)
        self._counted, self._read_s = counted, now_s
