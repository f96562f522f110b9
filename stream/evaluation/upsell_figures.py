"""How well moves up were told from the others: ranking, silence, calibration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from stream.evaluation.numbered import NumberedHistory
from stream.evaluation.prequential import TAUGHT
from stream.evaluation.upsell_moves import Holdings, Move, MoveModel, prices_of, rungs_of
from stream.history.catalogue import CatalogItem

BINS: Final = 10


class Forecast(NamedTuple):
    """What was said before a move, and the move: P(up), whether an offer would have been made, and its rung."""

    chance: float
    offered: bool
    rung: int
    move: Move


def forecast_moves(history: NumberedHistory, catalogue: Iterable[CatalogItem]) -> list[Forecast]:
    """Forecasts of the moves in the last fifth of the orders, each made before its move was counted.

    An offer is made where P(up) is above that of the whole shop: who is likelier to stay is left alone.
    """
    catalogue = list(catalogue)
    highest: dict[str, int] = {}
    for item in catalogue:
        if item.range_id is not None and item.rung is not None:
            highest[item.range_id] = max(item.rung, highest.get(item.range_id, item.rung))
    holdings, model = Holdings(rungs_of(catalogue, history.skus), highest), MoveModel(prices_of(catalogue))
    taught = int(len(history.orders) * TAUGHT)
    forecasts = []
    for at, order in enumerate(history.orders):
        for move in holdings.moves(order):
            if at >= taught:
                chance = model.chance_up(move)
                offered = chance > model.usual_chance()
                forecasts.append(Forecast(chance, offered, model.likeliest_rung(move), move))
            model.add(move)
    return forecasts


def upsell_report(forecasts: list[Forecast]) -> dict[str, Any]:
    """The figures, rounded; None where there is nothing to take the mean of."""
    chances = np.array([forecast.chance for forecast in forecasts])
    ups = np.array([forecast.move.is_up for forecast in forecasts], np.bool_)
    offered = np.array([forecast.offered for forecast in forecasts], np.bool_)
    right = np.array([forecast.rung == forecast.move.bought for forecast in forecasts], np.bool_)
    bins = calibration(chances, ups)
    return {
        "moves": len(forecasts),
        "moved_up": int(ups.sum()),
        "auc": auc(chances, ups),
        "rung_ranked_first": _mean(right[ups]),
        "silent_when_not_up": _mean(~offered[~ups]),
        "offered_when_up": _mean(offered[ups]),
        "calibration_error": None
        if not bins
        else round(sum(row["n"] * abs(row["expected"] - row["seen"]) for row in bins) / len(forecasts), 4),
        "calibration": bins,
    }


def auc(chances: np.ndarray, ups: np.ndarray) -> float | None:
    """The chance that a move up was given a higher P(up) than another move; equal ones count half.

    >>> auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    positive, negative = np.sort(chances[ups]), chances[~ups]
    if not len(positive) or not len(negative):
        return None
    above = len(positive) - np.searchsorted(positive, negative, "right")
    equal = np.searchsorted(positive, negative, "right") - np.searchsorted(positive, negative, "left")
    return round(float((above + equal / 2).sum() / (len(positive) * len(negative))), 4)


def calibration(chances: np.ndarray, ups: np.ndarray) -> list[dict[str, Any]]:
    """Mean P(up) and the share that moved up, for tenths of the forecasts by P(up)."""
    order = np.argsort(chances, kind="stable")
    return [
        {"expected": _mean(chances[part]), "seen": _mean(ups[part]), "n": len(part)}
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
