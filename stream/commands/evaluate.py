"""`basketstream evaluate`: how well a history would have been served."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream.commands.options import Json
from stream.evaluation.numbered import numbered
from stream.evaluation.plot import check_plot, plot
from stream.evaluation.report import as_json, print_table
from stream.evaluation.run import Evaluation, evaluate
from stream.history.datasets import History, load_history
from stream.history.replay import topic_messages
from stream.settings import load_settings


def evaluate_command(
    orders: Annotated[
        str,
        typer.Argument(
            metavar="completejourney|pizzaplace|FILE",
            help="Whose orders; docs/order-history.md has the format.",
        ),
    ],
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue of FILE.  [default: catalog.* beside it]")
    ] = None,
    first: Annotated[int | None, typer.Option(min=50, help="Only the first so many orders.")] = None,
    plot_to: Annotated[
        Path | None, typer.Option("--plot", help="Write the hit rate over time to this PNG or SVG.")
    ] = None,
    suggestions_to: Annotated[
        Path | None,
        typer.Option(
            "--suggestions",
            help="Publish nothing, but write what a worker would have published to this file, a suggestion a line.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Hide one item of each order, ask for it, then count the order: hit rates of every scorer and of baselines.

    The first 80 % of the orders only teach. The row "basketstream" is what the engine would have served: the scorer
    that was ahead when each order came. With --suggestions the history is handled by the worker's own agents as well,
    event after event, on tables in memory.
    """
    if plot_to is not None:
        check_plot(plot_to)
    history = load_history(orders, orders=first, catalog=catalog)
    notes = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    ) as progress:
        task = progress.add_task("reading", total=None)
        read = numbered(history.orders())
        progress.update(task, description="training baselines, then asking", total=len(read.orders))
        evaluation = evaluate(
            read,
            lambda done: progress.update(task, completed=done),
            catalogue=history.catalogue,
            currency=history.currency,
        )
    if read.repeated:
        notes.print(f"{read.repeated:,} orders left out: their ids came before.")
    for reason in evaluation.missing:
        notes.print(f"Left out: {reason}", markup=False)
    _show(evaluation, history.name, json)
    if plot_to is not None:
        plot(evaluation, history.name, plot_to)
    if suggestions_to is not None:
        written = _write_suggestions(history, suggestions_to)
        notes.print(f"{written:,} suggestions in {suggestions_to}", markup=False)


def _write_suggestions(history: History, to: Path) -> int:
    """Handle the events of the history as a worker with the settings of the environment would."""
    # Imported here: it brings the whole worker.
    from stream.evaluation.in_step import write_suggestions

    events = topic_messages(history.orders(), history.catalogue, history.currency, True, None)
    with to.open("wb") as file:
        return asyncio.run(write_suggestions(events, load_settings(), file))


def _show(evaluation: Evaluation, name: str, json: bool) -> None:
    if json:
        print(msgspec.json.encode(as_json(evaluation)).decode())
    else:
        print_table(evaluation, name, Console())
