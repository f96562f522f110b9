"""The layout: what was fixed when a namespace was first used, checked at every start since."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import OperatorError
from stream.tables.keys import LAYOUT_VERSION, Keys
from stream.tables.store import Store


@dataclass(frozen=True, slots=True)
class Layout:
    """What the counts in a namespace mean."""

    tags: int
    pane_s: int
    window_panes: int
    customer_window_panes: int
    version: int = LAYOUT_VERSION

    def fields(self) -> dict[str, int]:
        """By name."""
        return {
            "version": self.version,
            "tags": self.tags,
            "pane_s": self.pane_s,
            "window_panes": self.window_panes,
            "customer_window_panes": self.customer_window_panes,
        }


async def read_layout(store: Store, keys: Keys) -> Layout | None:
    """The layout in force, None for a namespace never used."""
    raw = (await store.commands([("HGETALL", keys.layout())]))[0]
    held = {name.decode(): int(value) for name, value in zip(raw[::2], raw[1::2], strict=True)}
    return Layout(**held) if held else None


async def settle_layout(store: Store, keys: Keys, wanted: Layout) -> bool:
    """Write the layout of a new namespace, or check that it is the wanted one; returns whether it was new.

    Raises OperatorError when the tables were made with other settings.
    """
    answers = await store.commands(
        [("HSETNX", keys.layout(), name, value) for name, value in wanted.fields().items()]
    )
    held = await read_layout(store, keys)
    if held != wanted:
        theirs = held.fields() if held else {}
        differing = ", ".join(
            f"{name} is {theirs.get(name)}, asked for {value}"
            for name, value in wanted.fields().items()
            if theirs.get(name) != value
        )
        raise OperatorError(
            f"The tables under namespace {keys.namespace!r} were made with other settings: {differing}.",
            "Start with the settings they were made with, or choose another BASKETSTREAM_NAMESPACE and group.",
        )
    return all(int(answer) for answer in answers)
