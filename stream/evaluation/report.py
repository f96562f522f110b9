"""How an evaluation is shown: a table for people, one JSON line for machines."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from stream.evaluation.run import ENGINE, Evaluation

COLUMNS = {
    "hr@5": "HR@5",
    "hr@10": "HR@10",
    "mrr@10": "MRR@10",
    "coverage": "Coverage",
    "heads": "Popular heads",
}


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "orders": evaluation.orders,
        "skus": evaluation.skus,
        "evaluated": evaluation.evaluated,
        "scores": evaluation.scores,
        "served": ENGINE,
        "selected": evaluation.selected,
        "margin": evaluation.margin,
        "events_per_s": evaluation.events_per_s,
        **({"upsell": evaluation.upsell} if evaluation.upsell else {}),
        **({"missing": evaluation.missing} if evaluation.missing else {}),
    }


def print_table(evaluation: Evaluation, name: str, console: Console) -> None:
    """The figures of every scorer, the engine's first, then by HR@10."""
    console.print(name, style="bold", markup=False, soft_wrap=True)
    table = Table(title=f"{evaluation.evaluated:,} of {evaluation.orders:,} orders evaluated")
    table.add_column("Scorer")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    scores = evaluation.scores
    for scorer in sorted(scores, key=lambda each: (each != ENGINE, -scores[each]["hr@10"], each)):
        cells = [f"{scores[scorer][column]:.4f}" for column in COLUMNS]
        table.add_row(scorer, *cells, style="bold" if scorer == ENGINE else None)
    console.print(table)
    lead = f"{evaluation.margin:+d} hits over the next"
    console.print(
        f"{ENGINE}: what would have been served, order by order; last selected {evaluation.selected} ({lead})."
    )
    console.print(f"{evaluation.events_per_s:,.0f} orders a second, asked with every scorer and counted.")
    if evaluation.upsell is not None:
        _print_upsell(evaluation.upsell, console)


def _print_upsell(figures: dict[str, Any], console: Console) -> None:
    console.print(
        f"Upsell: of {figures['moves']:,} customers who bought in a range again, {figures['moved_up']:,} moved up."
    )
    table = Table()
    for title in ("AUC", "Rung ranked first", "Offered when up", "Silent when not", "Calibration error"):
        table.add_column(title, justify="right")
    names = ("auc", "rung_ranked_first", "offered_when_up", "silent_when_not_up", "calibration_error")
    table.add_row(*("-" if figures[name] is None else f"{figures[name]:.4f}" for name in names))
    console.print(table)
