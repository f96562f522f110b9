"""`basketstream kpi`: average basket value and its kin, with what offers added to each."""

from __future__ import annotations

import asyncio
import sys

import msgspec
from rich.console import Console
from rich.table import Table

from stream.commands.options import Broker, Json
from stream.ledger.log import reckon
from stream.ledger.reckoning import Account, Figures
from stream.settings import load_settings


def kpi(broker: Broker = None, json: Json = False) -> None:
    """Average basket value, units an order, value and margin a unit, by currency and channel, and what upsell and
    cross-sell added to each: reckoned from the orders and suggestions in the log."""
    accounts = asyncio.run(reckon(load_settings(broker=broker)))
    if json:
        for account in accounts:
            sys.stdout.buffer.write(msgspec.json.encode(account) + b"\n")
        return
    table = Table(
        "", "orders", "lines", "basket value", "units an order", "value a unit", "margin a unit", box=None
    )
    for account in accounts:
        _show(table, account)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "Money in minor units. What offers added is attributed, not proven; docs/kpis.md has the definitions."
    )


def _show(table: Table, account: Account) -> None:
    name = f"{account.currency} {account.channel}"
    table.add_row(name, f"{account.orders:,}", "", *_cells(account.figures, ""))
    for kind, added in account.added.items():
        table.add_row(f"  by {kind}", "", f"{added.lines:,}", *_cells(added.figures, "+"))
    if account.revenue_after_purchase:
        table.add_row("  after purchase", "", "", f"revenue {account.revenue_after_purchase:,}")
    if account.unknown_lines:
        table.add_row("  of unknown suggestions", "", f"{account.unknown_lines:,}")


def _cells(figures: Figures, sign: str) -> list[str]:
    values = (getattr(figures, name) for name in Figures.__struct_fields__)
    return ["" if value is None else f"{value:{sign},.2f}" for value in values]
