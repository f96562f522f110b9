"""What the tables need of a store: plain commands and atomic scripts, many in one round trip.

Three stores implement it: `RedisStore` (one server, or the primary behind sentinels), `ClusterStore`, and their twin
`MemoryStore`; all pass the same contract suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

Arg = bytes | str | int | float
Command = tuple[Any, ...]
"""A Redis command: its name, then its arguments. Keys are made by `Keys` alone."""

ScriptName = Literal[
    "claim",
    "apply",
    "sweep",
    "move_fence",
    "amend_order",
    "park_return",
    "give_up",
    "erase_customer",
    "drop_if",
    "top_partners",
    "put_latest",
    "lease",
    "put_fits",
    "count_feedback",
    "add_moves",
    "put_dismissed",
    "let_go_dismissed",
]


class Script(NamedTuple):
    """One call of a script; all its keys are of one tag."""

    name: ScriptName
    keys: Sequence[bytes]
    args: Sequence[Arg]


class Store(Protocol):
    """A pipelined Redis, or something that answers like one. Raises StateUnavailable when it cannot."""

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, those on one key in order, one round trip; answers as RESP2 gives them, in bytes.

        Every command may be sent again: what is sent sets, deletes or reads, or is the HINCRBY of an epoch, of which
        some may be skipped. On a cluster those on different keys of a tag may change places while its slot is moved.
        """

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """Run scripts, those of one tag in order, one round trip; each is atomic, the sequence is not.

        Every script may be repeated safely: it is fenced, or repeating it changes nothing.
        """

    async def close(self) -> None:
        """Let go of connections."""
