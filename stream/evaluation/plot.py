"""The hit rate over time, as a picture."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from stream.errors import OperatorError
from stream.evaluation.run import ENGINE, Evaluation

DRAWN: Final = (ENGINE, "popularity", "baseline", "batch-ease", "item-knn")
FORMATS: Final = (".png", ".svg")


def check_plot(path: Path) -> None:
    """Raises OperatorError when the picture could not be written once everything is computed."""
    if path.suffix.lower() not in FORMATS:
        raise OperatorError(f"{path} is neither PNG nor SVG.", "Name a file that ends in .png or .svg.")
    if not path.parent.is_dir():
        raise OperatorError(f"There is no folder {path.parent}.", "Make it first.")
    _pyplot()


def plot(evaluation: Evaluation, name: str, path: Path) -> None:
    """HR@10 of the engine and of the baselines over the evaluated orders, as a rolling mean."""
    pyplot = _pyplot()
    window = max(20, evaluation.evaluated // 20)
    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    for scorer in DRAWN:
        if scorer in evaluation.figures:
            means = _rolling(evaluation.figures[scorer].hits, window)
            axes.plot(means, label=scorer, linewidth=2.2 if scorer == ENGINE else 1.2)
    axes.set(title=f"{name}: HR@10, mean of {window} orders", xlabel="orders evaluated", ylim=(0, None))
    axes.legend(loc="best", fontsize="small")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    try:
        figure.savefig(path)
    except OSError as exc:
        raise OperatorError(f"{path} cannot be written: {exc}", "Name a file that can be.") from exc
    finally:
        pyplot.close(figure)


def _rolling(hits: Sequence[int], window: int) -> Any:
    sums = np.cumsum([0, *hits])
    starts = np.maximum(np.arange(1, len(hits) + 1) - window, 0)
    return (sums[1:] - sums[starts]) / (np.arange(1, len(hits) + 1) - starts)


def _pyplot() -> Any:
    try:
        matplotlib = importlib.import_module("matplotlib")
    except ImportError as exc:
        raise OperatorError(
            "A picture needs matplotlib, which is not installed.", "pip install 'basketstream[evaluation]'"
        ) from exc
    matplotlib.use("agg")
    return importlib.import_module("matplotlib.pyplot")
