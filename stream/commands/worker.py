"""`basketstream worker`: one worker process, and Kafka and Redis around it when asked to."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack

import typer
from rich.console import Console
from rich.logging import RichHandler

from stream.app import create_app
from stream.commands.options import BrokerChoice, Partitions, RedisChoice
from stream.embedded.choice import chosen_broker, chosen_redis, starts_something
from stream.embedded.process import leashed
from stream.errors import StreamError
from stream.kafka_address import shown
from stream.ops.memory import work_in_batches
from stream.settings import PREFIX, load_settings
from stream.topics import create_topics
from stream.worker import run_worker

notes = Console(stderr=True)


def worker(
    broker: BrokerChoice = None,
    redis: RedisChoice = None,
    partitions: Partitions = 4,
) -> None:
    """Answer baskets and count orders until stopped.

    Start as many as there are partitions; they share the work. Settings are BASKETSTREAM_* variables.

    With `--broker embedded --redis embedded` nothing else has to run: topics are made, and both end with the worker.
    """
    settings = load_settings()
    chosen = (broker or settings.broker, redis or settings.redis_url)
    if starts_something(*chosen):
        raise typer.Exit(asyncio.run(_worker_and_services(*chosen, partitions)))
    settings = load_settings(broker=chosen[0], redis_url=chosen[1])
    _log_to_stderr(settings.log_level)
    work_in_batches()
    app = create_app(settings)
    code = run_worker(app, loglevel=settings.log_level, on_ready=gc.freeze)
    if app.start_failure is not None:
        raise app.start_failure
    raise typer.Exit(code)


def _log_to_stderr(level: str) -> None:
    """One line an event; colours and columns only for people."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=notes, show_path=False)
        logging.basicConfig(level=level, format="%(message)s", datefmt="[%X]", handlers=[handler])
    else:
        logging.basicConfig(
            level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_our_traceback)
    for chatty in ("aiokafka", "faust", "mode"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _without_our_traceback(record: logging.LogRecord) -> bool:
    """An error of ours says what happened and what to do; where in the code it was raised helps nobody."""
    if record.exc_info and isinstance(record.exc_info[1], StreamError):
        record.exc_info = None
    return True


async def _worker_and_services(broker_choice: str, redis_choice: str, partitions: int) -> int:
    """Start what was asked for, then the worker as a child; stop in the opposite order."""
    async with AsyncExitStack() as services:
        broker = await services.enter_async_context(chosen_broker(broker_choice))
        url = await services.enter_async_context(chosen_redis(redis_choice))
        prefix = load_settings().topic_prefix
        await create_topics(broker.bootstrap, partitions=partitions, prefix=prefix)
        notes.print(f"Kafka {shown(broker.bootstrap)} ({broker.kind}), Redis {url}", highlight=False)
        return await _child(broker.bootstrap, url, idempotent=broker.idempotent)


async def _child(bootstrap: str, url: str, *, idempotent: bool) -> int:
    # By the environment: whoever lists processes would read passwords off a command line.
    command = [sys.executable, "-m", "stream", "worker"]
    where = {"BROKER": bootstrap, "REDIS_URL": url, "IDEMPOTENT": str(int(idempotent))}
    environ = {**os.environ, **{PREFIX + name: text for name, text in where.items()}}
    process = await asyncio.create_subprocess_exec(*leashed(command), env=environ, start_new_session=True)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _pass_on, process, number)
    return await process.wait()


def _pass_on(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
