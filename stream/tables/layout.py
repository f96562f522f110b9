"""The layout: what was fixed when a namespace was first used, checked at every start since.

It stands under one key that every version of this package reads, whatever else it keeps where. So a worker of another
layout version finds out before it writes anything, and tables of two versions never stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.errors import OperatorError
from stream.tables.keys import Keys
from stream.tables.store import Store


@dataclass(frozen=True, slots=True)
class Layout:
    """What the counts in a namespace mean."""

    version: int
    tags: int
    pane_s: int
    window_panes: int
    customer_window_panes: int

    def fields(self) -> dict[str, int]:
        """By name, the version first: whoever writes it first has made the tables."""
        return {
            "version": self.version,
            "tags": self.tags,
            "pane_s": self.pane_s,
            "window_panes": self.window_panes,
            "customer_window_panes": self.customer_window_panes,
        }


async def read_layout(store: Store, keys: Keys) -> Mapping[str, int]:
    """The layout in force by the names its version gives; empty for a namespace never used."""
    raw = (await store.commands([("HGETALL", keys.layout())]))[0]
    return {name.decode(): int(value) for name, value in zip(raw[::2], raw[1::2], strict=True)}


async def settle_layout(store: Store, keys: Keys, wanted: Layout) -> bool:
    """Write the layout of a new namespace, or check that it is the wanted one; returns whether it was new.

    Raises OperatorError when the tables were made by another version, or with other settings.
    """
    version = ("HSETNX", keys.layout(), "version", wanted.version)
    new = bool((await store.commands([version]))[0])
    held = await read_layout(store, keys)
    # Of a version that is not ours we know no more than its number, and add nothing to it.
    _check_version(keys.namespace, held["version"], wanted.version)
    answers = await store.commands(
        [("HSETNX", keys.layout(), name, value) for name, value in wanted.fields().items()]
    )
    held = await read_layout(store, keys)
    if held != wanted.fields():
        differing = ", ".join(
            f"{name} is {held.get(name)}, asked for {value}"
            for name, value in wanted.fields().items()
            if held.get(name) != value
        )
        raise OperatorError(
            f"The tables under namespace {keys.namespace!r} were made with other settings: {differing}.",
            "Start with the settings they were made with, or choose another BASKETSTREAM_NAMESPACE and group.",
        )
    return new and all(int(answer) for answer in answers[1:])


def _check_version(namespace: str, held: int, ours: int) -> None:
    """Raise OperatorError unless the tables are of our layout version."""
    if held == ours:
        return
    made_by = "a newer" if held > ours else "an older"
    raise OperatorError(
        f"The tables under namespace {namespace!r} have layout {held}, made by {made_by} basketstream;"
        f" this one reads and writes layout {ours}. Nothing was changed.",
        f"Go on with {made_by} basketstream, or stop all workers and run `basketstream tables rebuild` with this one:"
        " it counts the log again.",
    )
