"""`basketstream dlq`: what could not be processed, and sending it again once it can."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from stream.commands.options import Broker, Json
from stream.dead_letter_log import DeadLetterView, list_dead_letters
from stream.dead_letter_purge import PurgeReport, purge_dead_letters
from stream.dead_letter_replay import ReplayReport, replay_dead_letters
from stream.errors import OperatorError
from stream.publisher import Publisher
from stream.settings import Settings, load_settings
from stream.topics import CONSUMED

app = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be processed, and why.")

Topic = Annotated[
    str, typer.Argument(metavar="TOPIC", help="The topic the records came from, e.g. order-placed.")
]


@app.command(name="list")
def show(
    topic: Topic,
    broker: Broker = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 20,
    json: Json = False,
) -> None:
    """The newest dead letters of a topic, oldest first, each with code, place and problem."""
    settings = load_settings(broker=broker)
    letters = asyncio.run(list_dead_letters(settings.broker, _full(settings, topic), limit=limit))
    if json:
        for letter in letters:
            print(msgspec.json.encode(letter).decode())
        return
    table = Table("partition:offset", "code", "where", "problem", "bytes", "sent again")
    for letter in letters:
        table.add_row(*_cells(letter))
    Console().print(table)


@app.command()
def replay(
    topic: Topic,
    broker: Broker = None,
    code: Annotated[
        list[str] | None, typer.Option(help="Only letters with this code; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be sent; send nothing.")] = False,
    json: Json = False,
) -> None:
    """Send dead letters to their topic again, key and value as they came. None is sent twice."""
    settings = load_settings(broker=broker)
    report = asyncio.run(
        _replay(settings, _full(settings, topic), frozenset(code) if code else None, dry_run)
    )
    if json:
        print(msgspec.json.encode(report).decode())
        return
    console = Console(highlight=False)
    for name, letters in sorted(report.replayed.items()):
        console.print(f"{letters} with {name} {'would be' if report.dry_run else ''} sent again")
    console.print(
        f"{report.before} had been before, {report.unasked} were not asked for, {report.too_large} are cut"
    )


@app.command()
def purge(
    topic: Topic,
    containing: Annotated[
        str, typer.Option(metavar="TEXT", help="Delete letters in which this text stands.")
    ],
    broker: Broker = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be deleted; delete nothing.")] = False,
    json: Json = False,
) -> None:
    """Delete dead letters that hold a text, as an erased customer's id; the others are kept, if not yet replayed."""
    settings = load_settings(broker=broker)
    report = asyncio.run(_purge(settings, _full(settings, topic), containing, dry_run))
    if json:
        print(msgspec.json.encode(report).decode())
        return
    would = "would be " if report.dry_run else ""
    Console(highlight=False).print(
        f"{report.purged} letters {would}deleted, {report.kept} kept, {report.replayed} that had been replayed "
        f"{would}{'deleted' if report.purged else 'left'} as well"
    )


async def _purge(settings: Settings, topic: str, text: str, dry_run: bool) -> PurgeReport:
    publisher = Publisher(settings.broker, idempotent=settings.idempotent)
    await publisher.start()
    try:
        return await purge_dead_letters(settings.broker, topic, text, publisher=publisher, dry_run=dry_run)
    finally:
        await publisher.stop()


async def _replay(
    settings: Settings, topic: str, codes: frozenset[str] | None, dry_run: bool
) -> ReplayReport:
    publisher = Publisher(settings.broker, idempotent=settings.idempotent)
    await publisher.start()
    try:
        return await replay_dead_letters(
            settings.broker, topic, publisher=publisher, dry_run=dry_run, codes=codes
        )
    finally:
        await publisher.stop()


def _full(settings: Settings, topic: str) -> str:
    if topic not in CONSUMED:
        raise OperatorError(f"{topic!r} is not a topic we consume.", f"One of: {', '.join(CONSUMED)}.")
    return settings.topic_prefix + topic


def _cells(letter: DeadLetterView) -> tuple[str, ...]:
    origin = f"{letter.original_partition}:{letter.original_offset}"
    again = "yes" if letter.replayed else ""
    return origin, letter.code, letter.path, letter.problem, f"{letter.value_bytes:,}", again
