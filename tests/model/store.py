"""The model's store: what one tag holds, and the scripts that change it, each one atomic step.

Small on purpose: an order is its offset, a SKU's counts are how often each order is in them. `net[offset]` has to be
1 in every tag for an order that counts and 0 for any other, so a doubled order cannot hide behind a missing one.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from tests.model.steps import Step

APPLIED, ALREADY, STRADDLES = range(3)
NO_PANE = -9


class Record(NamedTuple):
    """An order of the log: its id, the pane it was placed in, the tag of its id, and the tags of its SKUs."""

    order: str
    pane: int
    tag: int
    touches: tuple[int, ...]


Log = tuple[Record, ...]


class Walk(NamedTuple):
    """The fence of a pane's expiry: its orders up to `offset` were taken away."""

    pane: int
    offset: int


class Tag(NamedTuple):
    """One share of the tables, as one node holds it."""

    epoch: int
    fence: int
    mark: int
    walks: tuple[Walk, ...]
    claims: tuple[tuple[str, int], ...]
    logged: tuple[int, ...]
    net: tuple[int, ...]

    def walk(self, pane: int) -> Walk | None:
        """The expiry fence of a pane."""
        return next((walk for walk in self.walks if walk.pane == pane), None)


def empty(log: Log) -> Tag:
    """A tag nobody has written to."""
    return Tag(0, -1, NO_PANE, (), (), (), (0,) * len(log))


def claim(
    tag: Tag, log: Log, orders: tuple[tuple[int, int], ...], without: Set[Step]
) -> tuple[Tag, tuple[int, ...]]:
    """Claim (offset, first live pane) orders of this tag; answers the offsets that are to be counted."""
    claims, logged, won = dict(tag.claims), set(tag.logged), []
    for offset, live_from in orders:
        order = log[offset].order
        held = claims.get(order)
        if held is None or (held != offset and offset not in logged and log[held].pane < live_from):
            claims[order] = offset
            logged.add(offset)
            won.append(offset)
        elif _is_mine(offset, held, logged, without):
            won.append(offset)
        elif Step.CLAIM in without:
            logged.add(offset)
            won.append(offset)
    changed = tag._replace(claims=tuple(sorted(claims.items())), logged=tuple(sorted(logged)))
    return changed, tuple(won)


def _is_mine(offset: int, held: int, logged: set[int], without: Set[Step]) -> bool:
    if Step.LOGGED_COUNTS not in without and Step.POSITION not in without:
        return offset in logged
    return Step.POSITION not in without and held == offset


def apply(
    tag: Tag, changes: tuple[int, ...], first: int, last: int, mark: int, without: Set[Step]
) -> tuple[Tag, int]:
    """Count the orders once and move the fence."""
    if Step.FENCE not in without:
        if last <= tag.fence:
            return tag, ALREADY
        if first <= tag.fence and Step.STRADDLE not in without:
            return tag, STRADDLES
    return _added(tag, changes, 1)._replace(fence=max(last, tag.fence), mark=mark), APPLIED


def take_away(tag: Tag, pane: int, changes: tuple[int, ...], last: int, without: Set[Step]) -> Tag:
    """Take a pane's orders away again, those behind the pane's own fence, and move that fence."""
    held = tag.walk(pane)
    if held is not None and Step.EXPIRY_FENCE not in without:
        changes = tuple(offset for offset in changes if offset > held.offset)
        if last <= held.offset:
            return tag
    return _with_walk(_added(tag, changes, -1), Walk(pane, last))


def move_fence(tag: Tag, offset: int, mark: int) -> Tag:
    """Bring a tag that got no delta up to `offset`."""
    return tag if offset <= tag.fence else tag._replace(fence=offset, mark=mark)


def drop_pane(tag: Tag, log: Log, pane: int) -> Tag:
    """Forget the orders of a pane and their claims; its expiry fence stays."""
    gone = {offset for offset in tag.logged if log[offset].pane == pane}
    return tag._replace(
        claims=tuple((order, offset) for order, offset in tag.claims if offset not in gone),
        logged=tuple(offset for offset in tag.logged if offset not in gone),
    )


def forget_walks(tag: Tag, panes: Set[int]) -> Tag:
    """Forget the expiry fences of panes."""
    return tag._replace(walks=tuple(walk for walk in tag.walks if walk.pane not in panes))


def _added(tag: Tag, offsets: tuple[int, ...], delta: int) -> Tag:
    net = list(tag.net)
    for offset in offsets:
        net[offset] += delta
    return tag._replace(net=tuple(net))


def _with_walk(tag: Tag, walk: Walk) -> Tag:
    others = (held for held in tag.walks if held.pane != walk.pane)
    return tag._replace(walks=tuple(sorted((*others, walk))))
