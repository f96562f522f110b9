"""How often the SKUs of neighbourhoods met: which pairs are asked for, and the square that the answers make of each.

Each pair is asked once, however many neighbourhoods hold it, and of the SKU that more orders hold: its many partners
stand in a hash table, the few of the other in a list that is walked for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stream.tables.fitted_row import Integers

_NO_PAIRS: Integers = np.zeros(0, np.int64)


class Asked(NamedTuple):
    """Pairs to ask for, each once: a SKU with others that it may have met; and where each pair is among the answers."""

    of: list[tuple[bytes, list[bytes]]]
    places: Integers


def ask(members: Sequence[Sequence[bytes]], orders: Mapping[bytes, int]) -> Asked:
    """The pairs of all neighbourhoods; `places` are those of each neighbourhood in turn, row after row."""
    idents = sorted(orders, key=lambda ident: (-orders[ident], ident))
    place = {ident: at for at, ident in enumerate(idents)}
    pairs = [_pairs_of(np.array([place[one] for one in group]), len(idents)) for group in members]
    asked, places = np.unique(np.concatenate([_NO_PAIRS, *pairs]), return_inverse=True)
    firsts, others = np.divmod(asked, max(1, len(idents)))
    starts = np.flatnonzero(np.diff(firsts, prepend=-1)).tolist()
    of = [
        (idents[firsts[start]], [idents[other] for other in others[start:end].tolist()])
        for start, end in pairwise([*starts, len(asked)])
    ]
    return Asked(of, places)


def squares(
    members: Sequence[Sequence[bytes]], places: Integers, answers: Iterable[Iterable[bytes | None]]
) -> list[Integers]:
    """The square of each neighbourhood from the answers to `ask`."""
    counts = np.array([int(score) if score else 0 for answer in answers for score in answer], np.int64)
    met = np.maximum(counts, 0)[places]
    found, start = [], 0
    for group in members:
        square = np.zeros((len(group), len(group)), np.int64)
        upper = np.triu_indices(len(group), 1)
        square[upper] = met[start : start + len(upper[0])]
        found.append(square + square.T)
        start += len(upper[0])
    return found


def _pairs_of(places: Integers, most: int) -> Integers:
    """A number for each pair of a neighbourhood, row after row: its smaller place comes first."""
    one, other = np.triu_indices(len(places), 1)
    first, second = places[one], places[other]
    return np.minimum(first, second) * most + np.maximum(first, second)
