"""A worker process for the tests: `python -m tests.transport.worker_program BOOTSTRAP TOPIC GROUP [WAY]`.

Writes what happens to standard output, one word a line. WAY `hang` blocks the loop when told to stop, `fail`
crashes when reading should start, `early` is told to stop as soon as it starts.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import faust
from faust.types import TP

from stream.errors import OperatorError
from stream.transport import batch_topic
from stream.worker import faust_settings, run_worker


class Refusing:
    """Positions of a worker that finds its tables empty."""

    async def start_at(self, committed: Mapping[TP, int | None], assignment: int) -> Mapping[TP, int]:
        raise OperatorError("The tables are empty.", "Run tables rebuild.")


class Early(faust.App):
    """An app that is told to stop before it has begun."""

    async def on_start(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await super().on_start()


def say(*words: object) -> None:
    """One line for the test that reads us."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(bootstrap: str, topic: str, group: str, way: str = "") -> int:
    logging.basicConfig(stream=sys.stdout, format="log %(name)s %(message)s")
    made = Early if way == "early" else faust.App
    app = made(**faust_settings(bootstrap, group=group, session_timeout_s=6.0, rebalance_timeout_s=6.0))
    app.positions = Refusing() if way == "fail" else None

    async def read(stream: Any) -> None:
        async for batch in stream:
            batch.finish()
            say("batch", batch.partition, batch.first_offset, batch.last_offset)

    app.agent(batch_topic(app, topic), name="read")(read)

    async def hang(*_: Any, **__: Any) -> None:
        if way == "hang":
            time.sleep(60)

    app.on_before_shutdown.connect(hang)
    budget_s = 1.0 if way == "hang" else 20.0
    try:
        return run_worker(app, loglevel="INFO", stop_budget_s=budget_s, on_ready=lambda: say("ready"))
    except OperatorError as exc:
        say("operator", exc)
        return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
