"""What the lines of a basket say of their candidates, gathered for all scorers of a grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.fitted_rows import NO_PARTNER, Listed, partner_counts
from stream.decisions.scorers import FITS

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class LineFit(NamedTuple):
    """A fit of a line: its neighbours, orders that held both when it was fitted, and a row of weights a way to fit."""

    items: Integers
    together: Integers
    weights: npt.NDArray[np.floating]


class SaidLine(NamedTuple):
    """What one line says: the orders that hold it, its best partners with c_ij, and its fit if there is one."""

    orders: int
    partners: Integers
    together: Integers
    fit: LineFit | None


class Said(NamedTuple):
    """What all lines say, line after line.

    Of the partners of each line: c_ij, the line's orders n_i, and whether the line has no fit, so that the baseline
    speaks for it by every scorer. Of the neighbours of the fits: orders that held both, as a row of the core has them;
    `partner_counts`; n_i; and weights by way to fit.
    """

    partners: Integers
    together: Integers
    line_orders: Integers
    unfitted: Flags
    neighbours: Integers
    met: Integers
    now: Integers
    fit_orders: Integers
    fits: dict[str, Floats]


def said_by(lines: Sequence[SaidLine]) -> Said:
    """What these lines say together."""
    fitted = [(line, line.fit) for line in lines if line.fit is not None]
    asked = listed([fit.items for _, fit in fitted])
    now = partner_counts(
        asked,
        listed([line.partners for line, _ in fitted]),
        _joined(line.together for line, _ in fitted),
    )
    return Said(
        partners=_joined(line.partners for line in lines),
        together=_joined(line.together for line in lines),
        line_orders=_joined(np.full(len(line.partners), line.orders) for line in lines),
        unfitted=_joined(np.full(len(line.partners), line.fit is None) for line in lines).astype(np.bool_),
        neighbours=asked.items,
        met=np.where(now == NO_PARTNER, _joined(fit.together for _, fit in fitted), now),
        now=now,
        fit_orders=_joined(np.full(len(fit.items), line.orders) for line, fit in fitted),
        fits={
            name: np.concatenate([np.zeros(0), *(fit.weights[which] for _, fit in fitted)])
            for which, name in enumerate(FITS)
        },
    )


def listed(parts: Sequence[Integers]) -> Listed:
    """Items of several lines, line after line."""
    return Listed(np.repeat(np.arange(len(parts)), [len(items) for items in parts]), _joined(parts))


def _joined(parts: Iterable[npt.NDArray[np.generic]]) -> Integers:
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64, copy=False)
