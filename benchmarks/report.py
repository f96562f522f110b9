"""The run as a table for people and as JSON with every single rate."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any

import msgspec
import redis.asyncio
from rich.console import Console
from rich.table import Table

from benchmarks.latency import LatencyRun
from benchmarks.marks import Mark, Rates, marks
from benchmarks.plan import Plan
from benchmarks.rounds import Rate
from stream.embedded.broker import Broker
from stream.embedded.jars import KAFKA_VERSION

LIBRARIES = ("aiokafka", "faust-streaming", "redis", "msgspec", "numpy", "scipy")


async def machine(broker: Broker, redis_url: str) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was before."""
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        server = await client.info("server")
    finally:
        await client.aclose()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "kafka": f"Apache Kafka {KAFKA_VERSION}" if broker.kind == "apache" else broker.bootstrap,
        "redis_server": server.get("redis_version"),
        **{name: version(name) for name in LIBRARIES},
    }


def as_json(
    facts: dict[str, Any], plan: Plan, rates: Rates, runs: Sequence[LatencyRun], seconds: float
) -> bytes:
    """Everything."""
    document = {
        "machine": facts,
        "plan": asdict(plan),
        "seconds": seconds,
        "rates": rates,
        "medians": {name: median(rate.per_s for rate in of) for name, of in rates.items() if of},
        "latency": list(runs),
        "marks": [
            {"name": m.name, "least": m.least, "value": m.value, "reached": m.reached} for m in marks(rates)
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def show(console: Console, rates: Rates, runs: Sequence[LatencyRun], facts: dict[str, Any]) -> None:
    """Three tables: rates, latencies, marks."""
    console.print(
        f"{facts['cores']} cores, load {facts['load_before']:.1f} before; {facts['kafka']}, "
        f"Redis {facts['redis_server']}, Python {facts['python']}",
        highlight=False,
    )
    console.print(_rates(rates))
    if runs:
        console.print(_latencies(runs))
    console.print(_marks(marks(rates)))


def _rates(rates: Rates) -> Table:
    table = Table(title="Medians over the rounds; CPU in µs an event")
    table.add_column("contestant")
    for head in ("events/s", "lowest", "highest", "per own core/s", "own CPU", "Kafka", "Redis"):
        table.add_column(head, justify="right")
    table.add_column("besides", overflow="fold")
    for name, of in rates.items():
        if not of:
            continue
        figures = [rate.per_s for rate in of]
        own = [rate.per_core_s for rate in of if rate.per_core_s is not None]
        table.add_row(
            name,
            *(f"{figure:,.0f}" for figure in (median(figures), min(figures), max(figures))),
            f"{median(own):,.0f}" if own else "",
            *_cpu(of),
            ", ".join(
                f"{what} {_short(median(rate.more[what] for rate in of))}" for what in sorted(of[0].more)
            ),
        )
    return table


def _cpu(of: Sequence[Rate]) -> list[str]:
    spent = [rate.cpu_us for rate in of if rate.cpu_us is not None]
    if not spent:
        return ["", "", ""]
    columns = [f"{median(column):.1f}" for column in zip(*spent, strict=True)]
    if len(columns) < 3:  # services that are not ours cannot be watched
        columns = [columns[0], "", columns[1] if len(columns) > 1 else ""]
    return columns


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.1f}"


def _latencies(runs: Sequence[LatencyRun]) -> Table:
    table = Table(title="Basket to suggestion, ms from the intended time of sending to the answer read back")
    for head in ("baskets/s", "answers", "missing", "p50", "p90", "p99", "p99.9", "max", "till behind"):
        table.add_column(head, justify="right")
    for run in runs:
        ms = run.latency_ms
        table.add_row(
            *(f"{run.per_s:,.0f}", f"{ms.answers:,}", f"{ms.missing:,}"),
            *(f"{one:.1f}" for one in (ms.p50, ms.p90, ms.p99, ms.p999, ms.max, run.till_behind_ms)),
        )
    return table


def _marks(given: Sequence[Mark]) -> Table:
    table = Table(title="Marks")
    for head, side in (("mark", "left"), ("at least", "right"), ("measured", "right"), ("", "left")):
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    words = {True: "[green]reached[/]", False: "[red]missed[/]", None: "not measured"}
    for mark in given:
        value = "" if mark.value is None else f"{mark.value:.2f}"
        table.add_row(mark.name, f"{mark.least:.2f}", value, words[mark.reached])
    return table
