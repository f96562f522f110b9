"""A fitted row as it is stored: the fits' name, the orders it was fitted with, then each neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.scorers import FITS

FITS_ID = blake2b(repr(sorted(FITS.items())).encode(), digest_size=4).digest()
"""Names the fits a row was made for: a row of other fits is as good as none."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NEIGHBOUR = np.dtype([("id", "S8"), ("together", ">u4"), ("weights", ">f4", (len(FITS),))])


class FittedRow(NamedTuple):
    """The neighbours of a SKU, the orders that held both, and a column of weights a fit; `orders` when fitted."""

    orders: int
    neighbours: list[bytes]
    together: Integers
    weights: Floats


def pack(
    orders: int,
    neighbours: Sequence[bytes],
    together: Integers,
    weights: Floats,
) -> bytes:
    """A fitted row as it is stored: the fits' name, the orders, then each neighbour."""
    entries = np.empty(len(neighbours), _NEIGHBOUR)
    entries["id"] = np.array(neighbours, "S8") if neighbours else np.zeros(0, "S8")
    entries["together"], entries["weights"] = together, weights.T
    return FITS_ID + orders.to_bytes(4, "big") + entries.tobytes()


def fitted_at(raw: bytes) -> int:
    """The orders a SKU had when this row was fitted; 0 for no row."""
    return int.from_bytes(raw[4:8], "big")


def unpack(raw: bytes) -> FittedRow:
    """The row that `pack` packed."""
    entries = np.frombuffer(raw, _NEIGHBOUR, offset=8)
    size = _NEIGHBOUR.itemsize
    return FittedRow(
        fitted_at(raw),
        [raw[8 + i * size : 16 + i * size] for i in range(len(entries))],
        entries["together"].astype(np.int64),
        entries["weights"].astype(np.float64).T,
    )
