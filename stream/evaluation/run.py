"""One evaluation: a history in, figures of every scorer, of what would have been served and of the baselines out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from stream.decisions.policy import Policy
from stream.decisions.scorers import GRID, Scorer
from stream.decisions.selection import lead_over_the_rest
from stream.errors import OperatorError
from stream.evaluation.baselines import BatchEase, Comparison, ItemKnn, Trained
from stream.evaluation.figures import Figures
from stream.evaluation.numbered import NumberedHistory, NumberedOrder
from stream.evaluation.prequential import TAUGHT, Prequential, Question
from stream.evaluation.upsell_figures import forecast_moves, upsell_report
from stream.history.catalogue import CatalogItem
from stream.history.datasets import DEFAULT_CURRENCY

ENGINE = "basketstream"
"""The row of what the engine itself would have offered: decided by the scorer selected when each order came, and under
the rules of the catalogue where there is one."""

FEWEST_ORDERS = 50
"""Orders below which figures would mean nothing."""


class Evaluation(Struct, frozen=True):
    """What came out: figures by name (the engine first), the scorer that served last, and orders a second."""

    orders: int
    skus: int
    evaluated: int
    figures: dict[str, Figures]
    selected: str
    margin: int
    events_per_s: float
    missing: list[str]
    upsell: dict[str, Any] | None
    """Figures of moves within ranges; None where nobody moved, or the catalogue has no ranges."""

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """The figures of each row, rounded."""
        return {name: figures.report(self.skus) for name, figures in self.figures.items()}


def evaluate(
    history: NumberedHistory,
    on_progress: Callable[[int], None] = lambda _done: None,
    *,
    catalogue: Sequence[CatalogItem] = (),
    grid: Sequence[Scorer] = GRID,
    policy: Policy | None = None,
    currency: str = DEFAULT_CURRENCY,
) -> Evaluation:
    """Evaluate a history. `events_per_s` is of asking and counting alone. Raises OperatorError if it is too short."""
    if len(history.orders) < FEWEST_ORDERS:
        raise OperatorError(
            f"The history has {len(history.orders)} orders: too few to teach with and to ask about.",
            f"Evaluate a history of at least {FEWEST_ORDERS} orders.",
        )
    taught = history.orders[: int(len(history.orders) * TAUGHT)]
    compared, missing = _compared(taught, len(history.skus))
    beside = 0.0

    def on_question(question: Question) -> None:
        nonlocal beside
        start = time.perf_counter()
        for comparison in compared.values():
            comparison.ask(question)
        beside += time.perf_counter() - start

    engine = Prequential(history, grid, policy or Policy(), catalogue, currency)
    start = time.perf_counter()
    engine.run(on_question, on_progress)
    elapsed = time.perf_counter() - start - beside
    for comparison in compared.values():
        comparison.finish()
    serving = engine.selection.serving
    forecasts = forecast_moves(history, catalogue)
    return Evaluation(
        orders=len(history.orders),
        skus=len(history.skus),
        evaluated=len(engine.served.hits),
        figures={
            ENGINE: engine.served,
            **engine.figures,
            **{name: comparison.figures for name, comparison in compared.items()},
        },
        selected=grid[serving].name,
        margin=lead_over_the_rest(engine.selection.total(), serving),
        events_per_s=round(len(history.orders) / max(elapsed, 1e-9), 1),
        missing=missing,
        upsell=upsell_report(forecasts) if forecasts else None,
    )


def _compared(taught: Sequence[NumberedOrder], skus: int) -> tuple[dict[str, Comparison], list[str]]:
    """The baselines that are trained once, and what is not there to be compared with."""
    models: dict[str, Trained] = {"batch-ease": BatchEase(taught, skus)}
    missing = []
    try:
        models["item-knn"] = ItemKnn(taught, skus)
    except ImportError:
        missing.append("item-knn needs the library implicit: pip install 'basketstream[evaluation]'")
    return {name: Comparison(model, skus) for name, model in models.items()}, missing
