"""`basketstream tables`: look at the tables, and compare them with the log."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from stream.commands.open_tables import with_tables
from stream.commands.options import Broker, Json, Redis
from stream.commands.rebuilding import delete_shown, follow_replay, notes
from stream.errors import OperatorError
from stream.settings import load_settings
from stream.tables.dump import dump_rows
from stream.tables.inspection import (
    PACKED_ENTRIES,
    bytes_each,
    inspect_customer,
    inspect_sku,
    long_lists,
    stats,
)
from stream.tables.tables import Tables
from stream.verification.verify import verify_tables

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Look at the tables, and compare them with the log.")
_json = msgspec.json.Encoder().encode


def _with_tables(redis: str | None, use: Callable[[Tables], Awaitable[T]]) -> T:
    return with_tables(load_settings(redis_url=redis), use)


@app.command()
def dump(
    redis: Redis = None,
    diaries: Annotated[
        bool, typer.Option("--diaries", help="Also what each customer bought, as rows of the table `diary`.")
    ] = False,
) -> None:
    """Every row as canonical, sorted JSON Lines on stdout: two equal tables print equal bytes."""

    async def run(tables: Tables) -> None:
        async for row in dump_rows(tables):
            if row["table"] == "diary" and not diaries:
                continue
            sys.stdout.buffer.write(_json(row) + b"\n")

    _with_tables(redis, run)


@app.command()
def verify(broker: Broker = None, redis: Redis = None, json: Json = False) -> None:
    """Recount everything from the log and compare, integer for integer. Exit code 1 on any difference."""
    settings = load_settings(broker=broker, redis_url=redis)

    async def run(tables: Tables) -> bool:
        report = await verify_tables(settings, dump_rows(tables))
        if json:
            print(_json(report).decode())
        else:
            report.print()
        return report.equal

    if not _with_tables(redis, run):
        raise typer.Exit(1)


@app.command(name="rebuild")
def start_again(
    broker: Broker = None,
    redis: Redis = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Then show how far the workers are, until they are through.")
    ] = False,
) -> None:
    """Delete the tables and make the workers count the log again from its beginning. Stop them first."""
    settings = load_settings(broker=broker, redis_url=redis)
    if not yes:
        typer.confirm(f"Delete every key of namespace {settings.namespace!r}?", abort=True, err=True)

    deleted = asyncio.run(delete_shown(settings))
    notes.print(f"{deleted} keys deleted; start the workers, they count the log again.", highlight=False)
    if follow:
        asyncio.run(follow_replay(settings))


@app.command()
def inspect(
    redis: Redis = None,
    sku: Annotated[str | None, typer.Option(help="A SKU: orders, partners by count, catalogue.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="A customer: spend by pane, purchases, tier, profile.")
    ] = None,
) -> None:
    """All that the tables hold of one SKU or one customer, as JSON. Exit code 1 when there is nothing."""
    if (sku is None) == (customer is None):
        raise OperatorError("Name one thing to inspect.", "Add --sku SKU or --customer ID.")

    async def run(tables: Tables) -> Any:
        return await (
            inspect_sku(tables, sku) if sku is not None else inspect_customer(tables, str(customer))
        )

    found = _with_tables(redis, run)
    if found is None:
        raise typer.Exit(1)
    print(msgspec.json.format(_json(found).decode(), indent=2))


@app.command(name="stats")
def show_stats(redis: Redis = None, json: Json = False) -> None:
    """Keys, entries and bytes of each kind of table, and what a pair, a customer, an order and a SKU cost."""

    async def run(tables: Tables) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
        return await stats(tables), await long_lists(tables)

    found, lists = _with_tables(redis, run)
    each = bytes_each(found)
    if json:
        print(_json({**found, "bytes_each": each, "lists": lists}).decode())
        return
    table = Table("family", "keys", "entries", "bytes", "bytes/entry")
    for family, sizes in found.items():
        cost = f"{sizes['bytes'] / sizes['entries']:.1f}" if sizes["entries"] else ""
        table.add_row(family, *(f"{sizes[name]:,}" for name in ("keys", "entries", "bytes")), cost)
    console = Console()
    console.print(table)
    console.print("bytes each: " + ", ".join(f"{what} {cost:,}" for what, cost in each.items()))
    console.print(
        f"partner lists: {lists['partner_lists']:,}, of which {lists['long']:,} hold more than {PACKED_ENTRIES} pairs"
        f" ({lists['pairs_in_long']:,} pairs)"
    )
