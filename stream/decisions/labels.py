"""Labels: what every offer of a product says, whoever it is made to, as text in one heap.

A worker knows a million products and offers any of them. Kept as objects, what an offer says of its product lies in
half a dozen places of the memory, none of which is in a cache of the processor when its turn comes; waiting for them
cost more than deciding. In a heap a label is one run of bytes, and those of a whole chunk of baskets are gathered by
one call that waits for many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.decisions.columns import Runs, runs, with_room

Integers = npt.NDArray[np.int64]

Label = tuple[str, str, str | None]
"""The tail of the offer's id as a cross-sell, the SKU, and the title where it is known."""


class Read(NamedTuple):
    """Labels in columns."""

    tails: list[str]
    skus: list[str]
    titles: list[str | None]


BLOCK: Final = 16
"""Bytes that labels are made of: gathered as one number, so that a label costs a few of them."""

_END: Final = "\0"
"""Between the parts of a label; one that holds it itself is kept apart."""

_UNTITLED: Final = "\x01"
"""In the place of a title that is not known; one that is really called so is kept apart as well."""

_PARTS: Final = 4
"""Of a label in the heap: the last one fills its last block."""

_FIRST_BLOCKS: Final = 1 << 18
"""Of this size on numpy asks for large pages, of which the processor finds more without looking them up."""


class Labels:
    """Labels by dense index, written when they are first read. `label_of` tells what a label has to say.

    What was written of products before they changed stays in the heap until it is more than half of what is there and
    as much as a heap begins with: then all are forgotten, and written anew as they are read.
    """

    def __init__(self, label_of: Callable[[int], Label]) -> None:
        self._label_of = label_of
        self._empty()

    def _empty(self) -> None:
        self._heap = np.zeros(_FIRST_BLOCKS, f"V{BLOCK}")
        self._used = self._outdated = 0
        self._runs = Runs()
        self._apart: dict[int, Label] = {}

    def forget(self, item: int) -> None:
        """What an item says has changed: its label is written anew when it is next read."""
        _, blocks = self._runs[item]
        self._outdated += blocks
        self._runs[item] = 0, 0
        self._apart.pop(item, None)
        if self._outdated > _FIRST_BLOCKS and self._outdated > self._used // 2:
            self._empty()

    def read(self, items: Integers) -> Read:
        """The labels of items, in their order."""
        starts, blocks = self._runs.take(items)
        if not blocks.all():
            self._write(dict.fromkeys(items[blocks == 0].tolist()))
            starts, blocks = self._runs.take(items)
        text = self._heap.take(runs(starts, blocks)).tobytes().decode()
        parts = text.split(_END)
        parts.pop()  # behind the last end
        tails, skus = parts[0::_PARTS], parts[1::_PARTS]
        titles: list[str | None] = [*parts[2::_PARTS]]
        if _UNTITLED in titles:
            titles = [None if title == _UNTITLED else title for title in titles]
        if self._apart:
            for place, item in enumerate(items.tolist()):
                if item in self._apart:
                    tails[place], skus[place], titles[place] = self._apart[item]
        return Read(tails, skus, titles)

    def _write(self, items: Iterable[int]) -> None:
        for item in items:
            label = self._label_of(item)
            tail, sku, title = label
            if title == _UNTITLED or _END in f"{sku}{title}":
                self._apart[item] = label
                sku, title = "", ""
            text = _END.join((tail, sku, _UNTITLED if title is None else title, "")).encode()
            blocks = len(text) // BLOCK + 1
            text += b" " * (BLOCK * blocks - len(text) - 1) + _END.encode()
            if self._used + blocks > len(self._heap):
                self._heap = with_room(self._heap, self._used + blocks)
            self._heap[self._used : self._used + blocks] = np.frombuffer(text, self._heap.dtype)
            self._runs[item] = self._used, blocks
            self._used += blocks
