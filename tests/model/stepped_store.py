"""A store of several nodes: calls are carried out one node at a time, when the test says so, and nodes go back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from copy import deepcopy
from typing import Any

from stream.errors import StateLost
from stream.tables.memory_store import MemoryStore
from stream.tables.store import Command, Script

State = dict[bytes, Any]


class Turn:
    """Where a call waits for the test to let it go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Nodes:
    """What the nodes hold, each tag's past with the time each state began, and the life each is in."""

    def __init__(self, tags: int) -> None:
        self.memory = MemoryStore()
        self.now = 0.0
        self.lives = [0] * tags
        self._past: list[list[tuple[float, State]]] = [[(0.0, {})] for _ in range(tags)]

    def remember(self, tag: int) -> None:
        """A node may go back to here."""
        state = self._state(tag)
        if self._past[tag][-1][1] != state:
            self._past[tag].append((self.now, state))

    def go_back(self, tag: int, steps: int, *, not_before: float) -> None:
        """Have a node go back by so many states of its own, none of which ended before that time; in another life."""
        past = self._past[tag]
        while steps and len(past) > 1 and past[-1][0] >= not_before:
            past.pop()
            steps -= 1
        for key in self._state(tag):
            del self.memory.data[key]
        self.memory.data |= deepcopy(past[-1][1])
        self.lives[tag] += 1

    def _state(self, tag: int) -> State:
        mark = b"{t%03d}" % tag
        return deepcopy({key: value for key, value in self.memory.data.items() if mark in key})


class SteppedStore:
    """A worker's connection to the nodes. It relies on the lives it met until it begins again."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._met = list(nodes.lives)

    def begin_again(self) -> None:
        """Take the nodes as they are now."""
        self._met = list(self._nodes.lives)

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`."""
        return await self._by_node(commands, lambda command: command[1], self._nodes.memory.commands)

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`."""
        return await self._by_node(scripts, lambda script: script.keys[0], self._nodes.memory.scripts)

    async def close(self) -> None:
        """See `Store`."""

    async def _by_node(
        self,
        calls: Sequence[Any],
        key_of: Callable[[Any], bytes],
        run: Callable[[Sequence[Any]], Awaitable[list[Any]]],
    ) -> list[Any]:
        answers: list[Any] = [None] * len(calls)
        places: dict[int, list[int]] = {}
        for place, call in enumerate(calls):
            places.setdefault(_tag_of(key_of(call)), []).append(place)
        for tag, mine in places.items():
            await Turn()
            if tag >= 0 and self._met != self._nodes.lives and self._met[tag] != self._nodes.lives[tag]:
                raise StateLost(f"node {tag} is in another life")
            for place, answer in zip(mine, await run([calls[place] for place in mine]), strict=True):
                answers[place] = answer
            if tag >= 0:
                self._nodes.remember(tag)
        return answers


def at_once(running: Coroutine[Any, Any, Any]) -> Any:
    """The result of a call nobody comes between."""
    while True:
        try:
            running.send(None)
        except StopIteration as end:
            return end.value


def _tag_of(key: bytes) -> int:
    slot = key[key.index(b"{") + 1 : key.index(b"}")]
    return int(slot[1:]) if slot[1:].isdigit() else -1
