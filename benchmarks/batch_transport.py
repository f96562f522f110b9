"""Contestant: the product's transport and worker, with an agent that only calls each batch finished."""

from __future__ import annotations

import gc

import faust

from benchmarks.child import Task, given, say
from benchmarks.drain import Meter
from stream.batches import RecordBatch, batch_topic
from stream.ops.memory import work_in_batches
from stream.worker import faust_settings, run_worker


def main() -> None:
    """Drain, say how fast, and go on committing until told to stop."""
    task = given(Task)
    work_in_batches()
    meter = Meter(task.records)
    app = faust.App(**faust_settings(task.bootstrap, group=task.group))

    @app.agent(batch_topic(app, task.topic))
    async def consume(stream: faust.StreamT[RecordBatch]) -> None:
        async for batch in stream:
            batch.finish()
            if meter.handled(len(batch)):
                say(meter.drained())

    run_worker(app, loglevel="WARNING", on_ready=gc.freeze)


if __name__ == "__main__":
    main()
