"""Pane marks: what each tag has of the expiry of panes, so that one that lost its tail is healed, or refused.

Expiry takes a pane's orders away from every tag, and reads them from the order log, whose parts lie with other tags. A
tag that goes back behind its part of the expiry, while others do not, needs the log again.

| field of a tag's fences | says |
|---|---|
| `<source>/x<pane>` | offset up to which the pane's orders were taken away from this tag: the expiry fence |
| the same, `SEALED` | all of them were |
| the same, `DROPPED` | every tag was sealed, and the pane's orders may have been deleted |
| `<source>/f` | `over:before`: panes earlier than `over` are over in this tag; `before` is what it said previously |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stream.errors import OperatorError
from stream.tables.fences import Owner, expiry_fence
from stream.tables.keys import Keys
from stream.tables.store import Store

SEALED = 1 << 52
"""Behind every offset; scripts compute with doubles."""
DROPPED = SEALED + 1


class Folded(NamedTuple):
    """Up to which panes a tag is through, now and before; None: it never was."""

    over: int | None
    before: int | None


class PaneMarks:
    """Writes and judges the marks of a partition's panes."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys, self._tags = store, keys, tags

    async def put(self, owner: Owner, pane: int, mark: int) -> None:
        """Note in every tag that the pane was taken away from it (`SEALED`), and later that its orders go (`DROPPED`).

        Time has to pass between the two: a tag that loses the first after the second cannot be healed.
        """
        fence = expiry_fence(owner, pane)
        await self._store.commands(
            [("HSET", self._keys.fences(tag), fence, f"{mark}:0") for tag in range(self._tags)]
        )

    async def fold(self, owner: Owner, over: int) -> None:
        """One mark in place of those of all panes earlier than `over`; their own stay until the next time.

        So do the marks of what is undone of their orders.
        """
        held = await self._held(owner)
        folded = [_folded(marks) for marks in held]
        before = max((fold.over for fold in folded if fold.over is not None), default=None)
        if before is not None and before >= over:
            return
        keys, told = self._keys, "" if before is None else before
        await self._store.commands(
            [("HSET", keys.fences(tag), f"{owner.source}/f", f"{over}:{told}") for tag in range(self._tags)]
        )
        gone = [[p for p in _panes(marks) if before is not None and p < before] for marks in held]
        over_everywhere = sorted({pane for panes in gone for pane in panes})
        # Until here a tag that had its part of the pane back could count once more what is undone of it.
        await self._store.commands(
            [
                ("UNLINK", *(keys.undone(tag, owner.partition, pane) for pane in over_everywhere))
                for tag in range(self._tags)
                if over_everywhere
            ]
        )
        await self._store.commands(
            [
                ("HDEL", keys.fences(tag), *(expiry_fence(owner, pane) for pane in panes))
                for tag, panes in enumerate(gone)
                if panes
            ]
        )
        for pane in over_everywhere:
            owner.known.pop(expiry_fence(owner, pane), None)

    async def check(self, owner: Owner) -> set[int]:
        """The panes whose orders may be deleted, as far as their own marks stand.

        Raises OperatorError when a tag went back behind the expiry of one of them.
        """
        held = await self._held(owner)
        folded = [_folded(marks) for marks in held]
        newest = max(folded, key=lambda fold: -1 if fold.over is None else fold.over)
        panes = [_panes(marks) for marks in held]
        dropped = {pane for marks in panes for pane, mark in marks.items() if mark == DROPPED}
        for tag, fold in enumerate(folded):
            # A fold that was cut off half-way leaves tags one fold behind, no more.
            behind = fold.over not in (newest.over, newest.before)
            lacking = {
                pane
                for pane in dropped
                if (fold.over is None or pane >= fold.over) and panes[tag].get(pane, -1) < SEALED
            }
            if behind or lacking:
                raise OperatorError(
                    f"Tag {tag} of {owner.source} went back behind the end of a pane whose orders are deleted:"
                    " its counts cannot be healed by replay.",
                    "Stop all workers and start again from the log with `basketstream tables rebuild`.",
                )
        return dropped

    async def _held(self, owner: Owner) -> list[dict[str, str]]:
        """The marks of each tag by name: `f` and `x<pane>`."""
        answers = await self._store.commands(
            [("HGETALL", self._keys.fences(tag)) for tag in range(self._tags)]
        )
        prefix = f"{owner.source}/".encode()
        return [
            {
                name[len(prefix) :].decode(): value.decode()
                for name, value in zip(raw[::2], raw[1::2], strict=True)
                if name.startswith(prefix)
            }
            for raw in answers
        ]


def _folded(marks: Mapping[str, str]) -> Folded:
    over, _, before = marks.get("f", "").partition(":")
    return Folded(int(over) if over else None, int(before) if before else None)


def _panes(marks: Mapping[str, str]) -> dict[int, int]:
    """The offset of each pane's mark."""
    return {int(name[1:]): int(value.split(":")[0]) for name, value in marks.items() if name.startswith("x")}
