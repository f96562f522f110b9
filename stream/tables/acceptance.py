"""What became of offers, and what shoppers did unprompted: counts by token, in panes of four weeks.

Feedback comes from a fenced topic and is counted once a record, and once an `event_id` for as long as the id is
remembered; `tables verify` counts it again. Moves are hints: each worker tells what it saw of its baskets every few
seconds, numbered, so that telling again adds nothing; what a worker had not told when it died is lost. All stand under
one tag: there are few of them, and they are read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from stream.decisions.acceptance import MOVE, Acceptance, Counts
from stream.decisions.attribution import Place
from stream.tables.fences import APPLIED, Owner
from stream.tables.ids import event_id
from stream.tables.keys import Keys
from stream.tables.store import Command, Script, Store
from stream.tables.wire import Heard, pack_heard

PANE_MS = 28 * 86_400_000
PANES = 13
"""A year in panes of four weeks: shorter than the log of feedback is kept."""

MOST_FIELDS = 50_000
"""Counts a pane holds at most; those of further tokens are refused, and the worker says so."""

REMEMBERED = 50_000
"""An event whose id stood in one of so many offsets of its partition before its own came before, and is not counted."""

MOST_A_CALL = 500
"""Events one script call takes, so that reads wait two milliseconds at most."""

MOVER_FORGOTTEN_MS = 7 * 86_400_000
"""The number of the last moves of a worker that was silent for so long is forgotten."""

ACTIONS = {"shown": "s", "clicked": "c", "added": "a", "dismissed": "d"}
"""How a field begins that counts an action; the token follows."""

UP, HELD = "u", "h"
"""How a field begins that counts moves: went up, and stood on a rung with higher ones above."""

_TAG = 0


class Told(NamedTuple):
    """One feedback record: its offset, its time, what became of the offer with this token, and the event's id."""

    offset: int
    at_ms: int
    token: str
    action: str
    event_id: str


class Uncounted(NamedTuple):
    """What of feedback was not counted: counts that found no room, and events that came before."""

    refused: int
    repeated: int


class Counted(NamedTuple):
    """Counts by pane and field, of feedback and of moves, each with the changes of its panes."""

    feedback: dict[int, tuple[int, dict[str, int]]]
    moves: dict[int, tuple[int, dict[str, int]]]


NOTHING_COUNTED = Counted({}, {})


def pane_of(at_ms: int) -> int:
    """Number of the pane that holds a moment."""
    return at_ms // PANE_MS


def live_from(panes: Iterable[int]) -> int:
    """The first pane that still counts, of those there are."""
    return max(panes, default=PANES) - PANES + 1


class AcceptanceCounts:
    """Adds and reads them."""

    def __init__(self, store: Store, keys: Keys, tags: int) -> None:
        self._store, self._keys = store, keys

    async def count(self, owner: Owner, told: Sequence[Told]) -> Uncounted:
        """Count records of one partition, in offset order, once each.

        Raises Superseded, StateLost, StateUnavailable.
        """
        refused = repeated = 0
        pending = _behind(owner, told)
        while pending:
            some = pending[:MOST_A_CALL]
            answer = (await self._store.scripts([self._counting(owner, some)]))[0]
            if owner.settle(owner.source, _TAG, answer, some[-1].offset) == APPLIED:
                refused, repeated = refused + int(answer[1]), repeated + int(answer[2])
            # A call that straddles the fence does nothing but say where it stands: what lies behind it goes again.
            pending = _behind(owner, pending)
        return Uncounted(refused, repeated)

    def _counting(self, owner: Owner, told: Sequence[Told]) -> Script:
        keys, known = self._keys, owner.known_fence(owner.source, _TAG)
        fields, events = _numbered(told)
        return Script(
            "count_feedback",
            [
                *(keys.fences(_TAG), keys.acceptance(), keys.heard(owner.partition)),
                *map(keys.acceptance, fields),
            ],
            [
                *(owner.source, owner.epochs[_TAG], told[0].offset, told[-1].offset, known, owner.watermark),
                *(MOST_FIELDS, REMEMBERED, pack_heard(events), _pack(fields)),
            ],
        )

    async def add_moves(
        self, worker: str, number: int, counts: Mapping[tuple[int, str], int], now_ms: int
    ) -> None:
        """Add what a worker saw (pane, field -> how often) under its next number; telling it again adds nothing."""
        panes = _by_pane(counts)
        script = Script(
            "add_moves",
            [self._keys.movers(), self._keys.moves(), *map(self._keys.moves, panes)],
            [worker, number, now_ms, now_ms - MOVER_FORGOTTEN_MS, MOST_FIELDS, _pack(panes)],
        )
        await self._store.scripts([script])

    async def read(self, before: Counted = NOTHING_COUNTED) -> Counted:
        """All counts that are live; panes unchanged since `before` are not read again."""
        keys = self._keys
        indexes = await self._store.commands([("HGETALL", keys.acceptance()), ("HGETALL", keys.moves())])
        fresh = await self._store.commands(
            [
                command
                for index, known, name in zip(indexes, before, (keys.acceptance, keys.moves), strict=True)
                for command in _reads(_changes(index), known, name)
            ]
        )
        answers = iter(fresh)
        read = [
            {
                pane: known[pane] if _is_known(pane, changes, known) else (changes, _fields(next(answers)))
                for pane, changes in _changes(index).items()
            }
            for index, known in zip(indexes, before, strict=True)
        ]
        return Counted(*read)

    async def let_go(self) -> None:
        """Drop the panes that no longer count."""
        for name in (self._keys.acceptance, self._keys.moves):
            index = (await self._store.commands([("HGETALL", name())]))[0]
            panes = [int(pane) for pane in index[::2]]
            old = [pane for pane in panes if pane < live_from(panes)]
            await self._store.commands(
                [c for pane in old for c in (("UNLINK", name(pane)), ("HDEL", name(), pane))]
            )


def acceptance_of(counted: Counted) -> Acceptance:
    """The counts as the decision core leans on them: offers added of those shown, moves up of rungs held."""
    sums: dict[Place, list[int]] = {}
    for panes, place_of_token, taken, trials in (
        (counted.feedback, _offered, ACTIONS["added"], ACTIONS["shown"]),
        (counted.moves, _moved, UP, HELD),
    ):
        for _, fields in panes.values():
            for field, count in fields.items():
                if field[0] in (taken, trials):
                    held = sums.setdefault(place_of_token(field[1:]), [0, 0])
                    held[field[0] == trials] += count
    # What was added without having been told to be shown was shown.
    return Acceptance(
        (place, Counts(taken, max(taken, trials))) for place, (taken, trials) in sorted(sums.items())
    )


def _offered(token: str) -> Place:
    return Place(*token.split("|", 3))


def _moved(token: str) -> Place:
    return Place(MOVE, *token.split("|", 2))


def move_field(outcome: str, band: str, tier: str, range_id: str) -> str:
    """The field that counts a move (`UP` or `HELD`)."""
    return f"{outcome}{band}|{tier}|{range_id}"


def _behind(owner: Owner, told: Sequence[Told]) -> list[Told]:
    """What lies behind the fence, as far as we know it."""
    fence = owner.known_fence(owner.source, _TAG)
    return [one for one in told if one.offset > fence]


def _numbered(told: Sequence[Told]) -> tuple[dict[int, list[str]], list[Heard]]:
    """The fields that events add to, by pane and numbered through, and the events."""
    places = [(pane_of(one.at_ms), ACTIONS[one.action] + one.token) for one in told]
    fields: dict[int, list[str]] = {}
    numbers: dict[tuple[int, str], int] = {}
    for place in sorted(set(places)):
        fields.setdefault(place[0], []).append(place[1])
        numbers[place] = len(numbers) + 1
    events = [
        Heard(one.offset, event_id(one.event_id), numbers[place])
        for one, place in zip(told, places, strict=True)
    ]
    return fields, events


def _by_pane(counts: Mapping[tuple[int, str], int]) -> dict[int, list[str | int]]:
    panes: dict[int, list[str | int]] = {}
    for (pane, field), count in sorted(counts.items()):
        panes.setdefault(pane, []).extend((field, count))
    return panes


def _pack(panes: Mapping[int, Sequence[str | int]]) -> bytes:
    return msgspec.msgpack.encode(list(panes.items()))


def _changes(index: Sequence[bytes]) -> dict[int, int]:
    """Live panes with their numbers of changes, oldest first."""
    changes = {int(pane): int(count) for pane, count in zip(index[::2], index[1::2], strict=True)}
    start = live_from(changes)
    return {pane: changes[pane] for pane in sorted(changes) if pane >= start}


def _is_known(pane: int, changes: int, known: Mapping[int, tuple[int, dict[str, int]]]) -> bool:
    return pane in known and known[pane][0] == changes


def _reads(
    changes: Mapping[int, int],
    known: Mapping[int, tuple[int, dict[str, int]]],
    name: Callable[[int], bytes],
) -> list[Command]:
    return [("HGETALL", name(pane)) for pane, count in changes.items() if not _is_known(pane, count, known)]


def _fields(raw: Sequence[bytes]) -> dict[str, int]:
    return {field.decode(): int(count) for field, count in zip(raw[::2], raw[1::2], strict=True)}
