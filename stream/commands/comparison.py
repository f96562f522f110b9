"""`basketstream replay --what-if`: what another policy would have offered to the baskets of the log."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from stream.commands.explain import policy_of
from stream.commands.open_tables import with_tables
from stream.decisions.explain import amount
from stream.explanation.comparison import Comparison, compare
from stream.settings import Settings
from stream.tables.tables import Tables


def show_comparison(settings: Settings, file: Path, most: int | None, json: bool) -> None:
    """Compare the policy in force with that of a file; data on stdout."""
    before, after = policy_of(settings), policy_of(settings, file)
    notes = Console(stderr=True)

    async def run(tables: Tables) -> Comparison:
        with Progress(console=notes, disable=not notes.is_terminal, transient=True) as progress:
            task = progress.add_task("baskets", total=most)
            return await compare(
                *(settings, tables, before, after),
                most=most,
                on_progress=lambda done: progress.update(task, completed=done),
            )

    comparison = with_tables(settings, run)
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(comparison) + b"\n")
    else:
        _show(Console(highlight=False), comparison)


def _show(console: Console, found: Comparison) -> None:
    console.print(f"{found.baskets} baskets, {found.changed} answered differently")
    table = Table("", "in force", "what if", box=None)
    for kind in sorted({*found.before.offers, *found.after.offers}):
        table.add_row(kind, *(str(side.offers.get(kind, 0)) for side in (found.before, found.after)))
    table.add_row("no offers", str(found.before.silent), str(found.after.silent))
    table.add_row("taken later", str(found.before.taken), str(found.after.taken))
    table.add_row("their value", _value(found.before.taken_value), _value(found.after.taken_value))
    table.add_row("expected value", _value(found.before.projected), _value(found.after.projected))
    console.print(table)
    for word, changes in (("more", found.gained), ("fewer", found.lost)):
        for sku, by in changes.items():
            console.print(f"  {sku}: {by} offers {word}")


def _value(sums: dict[str, int]) -> str:
    return ", ".join(amount(value, code) for code, value in sorted(sums.items())) or "0"
