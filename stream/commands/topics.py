"""`basketstream topics`: make the topics as they should be."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from stream.commands.options import Broker, Json, Partitions, Replication
from stream.settings import load_settings
from stream.topics import create_topics

app = typer.Typer(no_args_is_help=True, help="Make the topics as they should be.")


@app.command()
def create(
    broker: Broker = None,
    partitions: Partitions = 8,
    replication: Replication = 1,
    keep_for_ever: Annotated[
        bool,
        typer.Option(help="Delete nothing by age: for replaying a past whose records carry their own times."),
    ] = False,
    json: Json = False,
) -> None:
    """Make the topics that are missing; existing ones are left alone and reported."""
    settings = load_settings(broker=broker)
    reports = asyncio.run(
        create_topics(
            settings.broker,
            partitions=partitions,
            replication=replication,
            prefix=settings.topic_prefix,
            keep_for_ever=keep_for_ever,
        )
    )
    if json:
        for report in reports:
            print(msgspec.json.encode(report).decode())
        return
    console = Console(highlight=False)
    for report in reports:
        note = f" (asked for {report.wanted}: left as it is)" if report.differs else ""
        console.print(f"{report.outcome:<8} {report.name}, {report.partitions} partitions{note}")
