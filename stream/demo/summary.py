"""The result of a demo: one JSON line for scripts, some lines for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from rich.console import Console
from rich.table import Table


class Offers(Struct, frozen=True):
    """Offers by kind, over all suggestions."""

    cross_sell: int
    upsell: int


class Latency(Struct, frozen=True):
    """From the moment a basket event was due to the moment its suggestion was read back."""

    p50: float
    p99: float


class Summary(Struct, frozen=True):
    """What `--json` prints, in this order.

    `baskets` are basket-updated events sent, `suggestions` distinct ids read, `events_per_s` baskets and
    orders over the time from the first one sent to the last suggestion read. `broker` and `redis` say what
    kind they were, or, where they go on running, their addresses.
    """

    orders: int
    baskets: int
    suggestions: int
    offers: Offers
    hit_rate_at_10: float
    latency_ms: Latency
    events_per_s: float
    dead_letters: int
    tables_verified: bool
    broker: str
    redis: str

    @property
    def good(self) -> bool:
        """Every basket has its suggestion, nothing died, and the tables are right."""
        return self.tables_verified and not self.dead_letters and self.suggestions == self.baskets


class Notes(Struct, frozen=True):
    """What a person wants to know besides."""

    added_lines: int
    duplicates: int
    conflicting: int
    restarts: int
    set_up_s: float
    selling_s: float
    proof_s: float
    rows: dict[str, int]
    differences: Sequence[str]


def latency_of(seconds: Sequence[float]) -> Latency:
    """Percentiles in milliseconds; 0 of nothing."""
    if not seconds:
        return Latency(0.0, 0.0)
    p50, p99 = (float(value) * 1_000 for value in np.percentile(seconds, [50, 99]))
    return Latency(round(p50, 1), round(p99, 1))


def show(console: Console, summary: Summary, notes: Notes) -> None:
    """The summary for people."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    offers, latency = summary.offers, summary.latency_ms
    table.add_row(
        "orders", f"{summary.orders:,}", f"in {notes.selling_s:.1f} s, set up in {notes.set_up_s:.1f} s"
    )
    table.add_row("baskets", f"{summary.baskets:,}", f"{summary.events_per_s:,.0f} events a second")
    again = f", {notes.duplicates:,} of them read twice" if notes.duplicates else ""
    table.add_row("suggestions", f"{summary.suggestions:,}", f"one for each basket{again}")
    table.add_row("offers", f"{offers.cross_sell + offers.upsell:,}", _kinds(offers))
    table.add_row(
        "hit rate at 10",
        f"{summary.hit_rate_at_10:.1%}",
        f"of {notes.added_lines:,} added lines stood in the suggestion before",
    )
    table.add_row("latency", f"{latency.p50:,.0f} ms", f"median; 99 of 100 within {latency.p99:,.0f} ms")
    table.add_row("dead letters", f"{summary.dead_letters:,}", "")
    verdict = "equal" if summary.tables_verified else "[bold red]NOT equal[/]"
    rows = ", ".join(f"{count:,} {table_name}" for table_name, count in notes.rows.items())
    table.add_row("tables", verdict, f"recounted from the log in {notes.proof_s:.1f} s: {rows or 'no rows'}")
    if notes.conflicting:
        table.add_row("conflicts", f"[bold red]{notes.conflicting:,}[/]", "baskets answered under two ids")
    if notes.restarts:
        table.add_row("restarts", f"{notes.restarts}", "of the worker")
    table.add_row("broker", summary.broker, f"Redis {summary.redis}")
    console.print(table)
    for difference in notes.differences:
        console.print(f"  {difference}", markup=False)


def _kinds(offers: Offers) -> str:
    return f"{offers.cross_sell:,} cross-sell, {offers.upsell:,} upsell"
