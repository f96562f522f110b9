"""`basketstream scorers`: what the stream of orders says of the scorers."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from stream.commands.open_tables import with_tables
from stream.commands.options import Json, Redis
from stream.decisions.selection import RANK_UNIT, choose
from stream.services.scorer_watch import FIRST, NAMES
from stream.settings import load_settings
from stream.tables.scorers import Tallied


def scorers(redis: Redis = None, json: Json = False) -> None:
    """Rolling hit rates of the scorers: each measured order was asked about before it was counted."""
    tallied = with_tables(load_settings(redis_url=redis), lambda tables: tables.scorers.read(NAMES))
    report = scorer_report(tallied)
    if json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report)


def scorer_report(tallied: Tallied) -> dict[str, Any]:
    """The figures; `selected` is the scorer that is ahead beyond chance, popularity where none is."""
    tally = tallied.tally
    choice = choose(tally, 0)
    measured = max(1, tally.orders)
    return {
        "measured": tally.orders,
        "partitions": tallied.partitions,
        "selected": NAMES[choice.scorer],
        "margin": choice.margin,
        "served": tallied.serving or NAMES[FIRST],
        "scores": {
            name: {
                "hr@5": round(int(tally.half_hits[which]) / measured, 4),
                "hr@10": round(int(tally.hits[which]) / measured, 4),
                "mrr@10": round(int(tally.reciprocals[which]) / RANK_UNIT / measured, 4),
                "lead": tally.lead(which, 0),
            }
            for which, name in enumerate(NAMES)
        },
    }


def _print(report: dict[str, Any]) -> None:
    table = Table(title=f"{report['measured']:,} orders measured on {report['partitions']} partitions")
    table.add_column("Scorer")
    for title in ("HR@5", "HR@10", "MRR@10", "Hits more than popularity"):
        table.add_column(title, justify="right")
    scores = report["scores"]
    for name in sorted(scores, key=lambda each: (-scores[each]["hr@10"], each)):
        figures = scores[name]
        cells = [f"{figures[column]:.4f}" for column in ("hr@5", "hr@10", "mrr@10")]
        table.add_row(
            name, *cells, f"{figures['lead']:+d}", style="bold" if name == report["selected"] else None
        )
    console = Console()
    console.print(table)
    console.print(
        f"Ahead: {report['selected']}, {report['margin']:+d} hits over the next. Served: {report['served']}."
    )
