"""Gaps: records that the log deleted before they were read. Never passed over in silence.

| topic | what happens |
|---|---|
| orders, returns: every record counts | the worker stops and says how many are gone |
| the same, once the operator has set `BASKETSTREAM_ON_GAP=skip` | the worker goes on behind them |
| any other | the worker goes on behind them |

Whoever goes on says so in the log as an error and in the tally as `gap.<topic>`, the number of offsets.
"""

from __future__ import annotations

import logging
from typing import Literal

from faust.types import TP

from stream.errors import OperatorError
from stream.ops.tally import Tally

logger = logging.getLogger(__name__)

OnGap = Literal["stop", "skip"]


class Gaps:
    """Judges gaps and counts those that are left behind. Topics are counted without their `prefix`."""

    def __init__(self, tally: Tally, prefix: str, on_gap: OnGap) -> None:
        self._tally, self._prefix, self._on_gap = tally, prefix, on_gap
        self._told: set[tuple[TP, int, int]] = set()

    def in_counts(self, tp: TP, needed: int, begins: int) -> None:
        """A gap where every record counts, from `needed` on. Raises OperatorError unless it is to be skipped."""
        if self._on_gap == "stop":
            raise OperatorError(
                f"The tables need {tp.topic}/{tp.partition} from offset {needed}, but the log begins at {begins}:"
                f" {begins - needed} records are gone uncounted.",
                "Lengthen the topic's retention. Then either run `basketstream tables rebuild`, which starts again"
                " from what the log still holds, or go on without them: BASKETSTREAM_ON_GAP=skip.",
            )
        self.left_behind(tp, needed, begins)

    def left_behind(self, tp: TP, needed: int, begins: int) -> None:
        """Reading goes on behind a gap. One that is met again before anything was committed counts once."""
        if (tp, needed, begins) in self._told:
            return
        self._told.add((tp, needed, begins))
        logger.error(
            "GAP: %s[%d] was to be read from offset %d, but its log begins at %d: %d records are gone. Lengthen the"
            " topic's retention, or find out why the worker was so far behind.",
            *(tp.topic, tp.partition, needed, begins, begins - needed),
        )
        self._tally.add(f"gap.{tp.topic.removeprefix(self._prefix)}", begins - needed)
