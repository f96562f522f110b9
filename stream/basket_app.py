"""The worker's Faust app: opens the tables and the producer around the agents, and ends a worker that is stuck."""

from __future__ import annotations

import logging
from typing import cast

import faust

from stream.agents.wiring import Wiring
from stream.errors import StateLost, StreamError, WorkerStuck
from stream.ops.loop_watch import LoopWatch, end_soon
from stream.ops.watchdog import Watchdog
from stream.positions import TablePositions
from stream.services.neighbour_fitter import NeighbourFitter
from stream.services.upkeep import Upkeep
from stream.transport import Consumer

logger = logging.getLogger(__name__)

STUCK_GRACE_S = 10.0
"""Time a worker that is stuck has to end in good order."""


class BasketApp(faust.App):
    """Faust's app with the tables' say in where partitions are read from, and our connections around it."""

    positions: TablePositions
    wiring: Wiring
    upkeep: Upkeep
    fitter: NeighbourFitter | None = None
    """None in a worker that fits no weights."""
    watchdog: Watchdog
    loop_watch: LoopWatch
    start_failure: StreamError | None = None
    """Why the worker did not get to start, for the command to say."""

    async def on_first_start(self) -> None:
        """Nothing: Faust would make a folder for tables we do not keep, wherever the worker was started."""

    async def on_start(self) -> None:
        """Open the tables and the producer before the first record.

        Raises OperatorError when they do not fit, StateUnavailable when nobody answers.
        """
        try:
            await self.wiring.tables.open()
            await self.wiring.publisher.start()
        except StreamError as exc:
            self.start_failure = exc
            raise
        await super().on_start()
        # Not tasks of the app: those begin only after the first rebalance, which may be what hangs.
        self.loop_watch.start()
        self.add_future(self._watch())

    async def _watch(self) -> None:
        """Look for partitions that are stuck; end the worker when there is one, whatever else hangs."""
        try:
            await self.watchdog.run()
        except WorkerStuck as exc:
            logger.critical("%s", exc)
            end_soon(STUCK_GRACE_S)
            await self.crash(exc)

    async def take_again(self, assignment: int, reason: StateLost) -> None:
        """Redis lost something: take the partitions again, unless that was done since `assignment`."""
        if await cast(Consumer, self.consumer).take_again(assignment):
            logger.warning("%s", reason)
            self.wiring.tally.add("tables.went back")

    async def on_shutdown(self) -> None:
        """Close them after the last commit."""
        await super().on_shutdown()
        await self.wiring.publisher.stop()
        await self.wiring.tables.close()
        self.wiring.tally.report()
        self.loop_watch.stop()
