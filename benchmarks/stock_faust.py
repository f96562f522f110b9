"""Contestants: Faust as it comes, reading raw bytes and doing nothing with them. `each` or `take`."""

from __future__ import annotations

from typing import Any

import faust
from faust.worker import Worker

from benchmarks.child import Task, given, say
from benchmarks.drain import Meter

TAKEN = 500


def main() -> None:
    """Drain, say how fast, and stay until killed."""
    task = given(Task)
    meter = Meter(task.records)
    app = faust.App(
        task.group,
        broker=f"kafka://{task.bootstrap}",
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        autodiscover=False,
    )
    app.boot_strategy.enable_web = False
    topic = app.topic(task.topic, key_serializer="raw", value_serializer="raw")

    @app.agent(topic)
    async def consume(stream: Any) -> None:
        if task.variant == "take":
            async for values in stream.take(TAKEN, within=0.1):
                if meter.handled(len(values)):
                    say(meter.drained())
            return
        since = 0
        async for _ in stream:
            since += 1
            if since == TAKEN or meter.done + since == meter.total:
                done, since = meter.handled(since), 0
                if done:
                    say(meter.drained())

    Worker(app, loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
