"""`basketstream doctor`: is everything as a worker needs it, and if not, what to do."""

from __future__ import annotations

import asyncio

import msgspec
import typer
from rich.console import Console

from stream.commands.options import Broker, Json, Redis
from stream.errors import OperatorError, StateUnavailable
from stream.ops.examination import examine
from stream.ops.finding import Finding
from stream.settings import Settings, load_settings
from stream.tables.tables import Tables

_MARKS = {True: "[green]ok[/]", False: "[red]bad[/]", None: "[yellow]--[/]"}


def doctor(broker: Broker = None, redis: Redis = None, json: Json = False) -> None:
    """Check broker, topics, Redis, tables and contracts. Exit code 1 when something has to be done."""
    settings = load_settings(broker=broker, redis_url=redis)
    findings = asyncio.run(_examine(settings))
    if json:
        for finding in findings:
            print(msgspec.json.encode(finding).decode())
    else:
        console = Console(highlight=False)
        for finding in findings:
            console.print(f"{_MARKS[finding.ok]:<4} {finding.name}: {finding.what}", soft_wrap=True)
            if finding.remedy:
                console.print(f"     -> {finding.remedy}", soft_wrap=True)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[Finding]:
    findings = await examine(settings.broker, settings.redis_url, prefix=settings.topic_prefix)
    return [*findings, await _tables(settings)]


async def _tables(settings: Settings) -> Finding:
    tables = Tables.on_redis(settings)
    try:
        new = await tables.is_new()
        if not new:
            await tables.open()
    except StateUnavailable:
        return Finding("tables", None, "Redis does not answer, so they were not looked at")
    except OperatorError as exc:
        return Finding("tables", False, exc.problem, exc.remedy)
    finally:
        await tables.close()
    if new:
        return Finding(
            "tables", None, f"namespace {settings.namespace!r} is empty; the first worker makes them"
        )
    return Finding("tables", True, f"namespace {settings.namespace!r}, layout {tables.layout.version}")
