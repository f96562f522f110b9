"""`basketstream replay`: an order history, sent as its shop would have sent it."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from stream.commands.comparison import show_comparison
from stream.commands.options import Broker, Json, Redis
from stream.history.datasets import History, load_history
from stream.history.replay import Sent
from stream.history.replay import replay as send
from stream.publisher import Publisher
from stream.settings import Settings, load_settings


def replay(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="An order history, or the name of a data set.")
    ] = None,
    broker: Broker = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Its catalogue.  [default: catalog.* beside FILE]")
    ] = None,
    orders: Annotated[int | None, typer.Option(min=1, help="Only so many orders.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 currency of the prices.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Events a second.  [default: as fast as it goes]")
    ] = None,
    baskets: Annotated[bool, typer.Option(help="Send a basket event for each added line as well.")] = True,
    what_if: Annotated[
        Path | None,
        typer.Option(
            metavar="POLICY.toml", help="Publish nothing; ask the log's baskets again under this policy."
        ),
    ] = None,
    redis: Redis = None,
    json: Json = False,
) -> None:
    """Publish the catalogue, then every order with its baskets line by line; or ask the past what another policy
    would have offered (--what-if, then --orders bounds the baskets asked)."""
    settings = load_settings(broker=broker, redis_url=redis)
    if what_if is not None:
        show_comparison(settings, what_if, orders, json)
        return
    if file is None:
        raise typer.BadParameter("name an order history to publish, or give --what-if", param_hint="FILE")
    history = load_history(file, orders=orders, catalog=catalog, currency=currency)
    sent = asyncio.run(_replay(settings, history, orders, rate, baskets))
    if json:
        print(msgspec.json.encode({**sent._asdict(), "events": sent.events}).decode())
    else:
        Console(highlight=False).print(
            f"{sent.products} products, {sent.baskets} baskets, {sent.orders} orders in {sent.seconds:.1f} s"
        )


async def _replay(
    settings: Settings, history: History, total: int | None, rate: float | None, baskets: bool
) -> Sent:
    publisher = Publisher(settings.broker, idempotent=settings.idempotent)
    notes = Console(stderr=True)
    await publisher.start()
    try:
        with Progress(console=notes, disable=not notes.is_terminal) as progress:
            task = progress.add_task("orders", total=total)
            return await send(
                islice(history.orders(), total),
                history.catalogue,
                publisher,
                currency=history.currency,
                rate=rate,
                baskets=baskets,
                topic_prefix=settings.topic_prefix,
                on_progress=lambda sent: progress.update(task, completed=sent.orders),
            )
    finally:
        await publisher.stop()
