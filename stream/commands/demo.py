"""`basketstream demo`: the main job on real orders, on one machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from stream.commands.options import Json
from stream.demo.options import DEFAULT_ORDERS, DemoOptions
from stream.demo.run import run_demo
from stream.embedded.choice import EMBEDDED


def demo(
    dataset: Annotated[
        str, typer.Option(metavar="completejourney|pizzaplace|FILE", help="Whose orders.")
    ] = "completejourney",
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue of FILE.  [default: catalog.* beside it]")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217 currency of FILE.  [default: EUR]")] = None,
    orders: Annotated[int, typer.Option(min=1, help="Only the first so many orders.")] = DEFAULT_ORDERS,
    broker: Annotated[
        str,
        typer.Option(
            metavar="embedded|apache|HOST:PORT", help="Kafka to use; apache needs Java 17 and Maven."
        ),
    ] = EMBEDDED,
    redis: Annotated[str, typer.Option(metavar="embedded|URL", help="Redis to use.")] = EMBEDDED,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Partitions of each topic.")] = 4,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Baskets a second.  [default: as fast as they are answered]")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Kafka and Redis running and print where.")
    ] = False,
    json: Json = False,
) -> None:
    """Replay real orders as tills would send them, and watch upsell and cross-sell suggestions arrive.

    At the end every count in Redis is compared with a recount of the orders. Exit code 1 if any differs, if
    a basket was not answered, or if there are dead letters.
    """
    options = DemoOptions(
        dataset=dataset,
        catalog=catalog,
        currency=currency,
        orders=orders,
        broker=broker,
        redis=redis,
        partitions=partitions,
        rate=rate,
        keep=keep,
        json=json,
    )
    summary = asyncio.run(run_demo(options))
    if not summary.good:
        raise typer.Exit(1)
