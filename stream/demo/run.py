"""The demo from beginning to end: set up, sell, prove."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console

from stream import topics
from stream.demo.at_rest import count_dead_letters, wait_until_read
from stream.demo.options import DemoOptions
from stream.demo.proof import prove
from stream.demo.sale import Sale
from stream.demo.stage import Stage, staged
from stream.demo.summary import Notes, Offers, Summary, latency_of, show
from stream.demo.supervised_worker import SupervisedWorker, supervised, worker_command
from stream.demo.view import Progress, View
from stream.embedded.scratch import scratch_folder
from stream.errors import OperatorError
from stream.history.datasets import History, load_history
from stream.kafka_address import shown
from stream.publisher import Publisher

START_S = 60.0
"""Time a worker has for its first start."""

EXIT_TERMINATED = 128 + signal.SIGTERM


async def run_demo(options: DemoOptions) -> Summary:
    """Run the demo, print its result on stdout (one line with `json`), everything else on stderr.

    Raises OperatorError when something cannot be started or stops moving.
    """
    # Two attempts at a publish, or one message less, are the business of whoever reads a log.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    notes = Console(stderr=True, highlight=False)
    with _ending_on_sigterm():
        began = time.monotonic()
        history = load_history(
            options.dataset, orders=options.orders, catalog=options.catalog, currency=options.currency
        )
        notes.print(f"{history.name}: {len(history.catalogue):,} products", markup=False)
        async with AsyncExitStack() as stack:
            stage = await stack.enter_async_context(staged(options))
            notes.print(
                f"Kafka {shown(stage.broker.bootstrap)} ({stage.broker.kind}), Redis {_told(stage.redis_url)}"
            )
            log = stack.enter_context(scratch_folder("demo")) / "worker.log"
            run = _Run(options, history, stage, log, notes)
            summary, more = await run.whole(began)
        out = Console(highlight=False, soft_wrap=True)
        if options.json:
            out.file.write(msgspec.json.encode(summary).decode() + "\n")
            out.file.flush()
            for difference in more.differences:
                notes.print(difference, markup=False)
        else:
            show(out, summary, more)
        if options.keep:
            _say_how_to_look(notes if options.json else out, stage)
        return summary


class _Run:
    def __init__(
        self, options: DemoOptions, history: History, stage: Stage, log: Path, notes: Console
    ) -> None:
        self._options, self._history, self._stage, self._notes = options, history, stage, notes
        self._phase = "starting"
        self._worker = SupervisedWorker(
            worker_command(),
            stage.environ(),
            log=log,
            on_restart=lambda told: notes.print(told, style="yellow"),
        )

    async def whole(self, began: float) -> tuple[Summary, Notes]:
        """Everything between the set-up of the services and their end."""
        settings = self._stage.settings
        async with self._publisher() as publisher, supervised(self._worker):
            sale = Sale(self._options, self._history, settings, publisher)
            with self._view(sale):
                await self._prepare(sale)
                ready = time.monotonic()
                self._phase = "selling"
                await sale.sell()
                sold = time.monotonic()
                self._phase = "counting"
                await wait_until_read(settings, (topics.BASKET_UPDATED, topics.ORDER_PLACED))
                self._phase = "recounting the log"
                verified, report = await prove(settings, sale.tills.orders_sent)
                letters = await count_dead_letters(settings)
            proved = time.monotonic()
        answers = sale.answers
        events = sale.tills.baskets_sent + sale.tills.orders_sent
        summary = Summary(
            orders=sale.tills.orders_sent,
            baskets=sale.tills.baskets_sent,
            suggestions=answers.suggestions,
            offers=Offers(answers.offers["cross_sell"], answers.offers["upsell"]),
            hit_rate_at_10=round(answers.hit_rate.rate, 4),
            latency_ms=latency_of(answers.latencies_s),
            events_per_s=round(events / sale.seconds, 1) if sale.seconds else 0.0,
            dead_letters=letters,
            tables_verified=verified,
            broker=self._broker_told(),
            redis=self._redis_told(),
        )
        return summary, Notes(
            added_lines=answers.hit_rate.lines,
            duplicates=answers.duplicates,
            conflicting=answers.conflicting,
            restarts=self._worker.restarts,
            set_up_s=ready - began,
            selling_s=sold - ready,
            proof_s=proved - sold,
            rows=report.agreeing,
            differences=report.first,
        )

    async def _prepare(self, sale: Sale) -> None:
        """The catalogue is published and known, the worker is at work."""
        self._phase = "publishing the catalogue"
        await sale.publish_catalogue()
        self._phase = "waiting for the worker"
        try:
            async with asyncio.timeout(START_S):
                await self._worker.wait_ready()
        except TimeoutError as exc:
            raise OperatorError(
                f"The worker is not ready after {START_S:.0f} s. The end of its log:\n{self._worker.tail()}",
                "Run `basketstream doctor`.",
            ) from exc
        await wait_until_read(self._stage.settings, (topics.PRODUCT_UPDATED,))

    @asynccontextmanager
    async def _publisher(self) -> AsyncIterator[Publisher]:
        settings = self._stage.settings
        publisher = Publisher(settings.broker, idempotent=settings.idempotent, client_id="basketstream-demo")
        await publisher.start()
        try:
            yield publisher
        finally:
            await publisher.stop()

    @contextmanager
    def _view(self, sale: Sale) -> Iterator[None]:
        """The live view, where there is a terminal to see it on."""
        if not self._notes.is_terminal:
            yield
            return
        titles = {item.sku: item.title for item in self._history.catalogue}
        clock = asyncio.get_running_loop().time

        def progress() -> Progress:
            seconds = clock() - sale.began_s if sale.began_s is not None else 0.0
            tills = sale.tills
            if self._phase != "selling":
                seconds = sale.seconds
            return Progress(self._phase, tills.orders_sent, self._options.orders, tills.baskets_sent, seconds)

        with View(sale.answers, titles, progress).live(self._notes):
            yield

    def _broker_told(self) -> str:
        broker = self._stage.broker
        return broker.bootstrap if self._options.keep or broker.kind == "given" else broker.kind

    def _redis_told(self) -> str:
        embedded = self._options.redis == "embedded" and not self._options.keep
        return "embedded" if embedded else _told(self._stage.redis_url)


def _told(url: str) -> str:
    """The URL without a password."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url


def _say_how_to_look(console: Console, stage: Stage) -> None:
    console.print("\nBroker and Redis keep running. To look at them:")
    for name, value in stage.names().items():
        console.print(f"  export {name}={value}", markup=False)
    console.print("  basketstream tables dump")
    if stage.keeper_pid is not None:
        console.print(f"To end them: kill {stage.keeper_pid}")


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the run in order, as Ctrl-C does, with the exit code of a terminated process."""
    task = asyncio.current_task()
    assert task is not None
    asked = False

    def end() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except asyncio.CancelledError:
        if asked:
            raise SystemExit(EXIT_TERMINATED) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
