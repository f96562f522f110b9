"""The store on a Redis Cluster: calls go to the node that has their slot, and follow it when it moves.

All keys of a tag share a slot, so a script over one tag is atomic here as on one server, and its fence lies where its
counts do. Commands of one slot keep their order as long as the slot stays where it is; while it is being moved, those
on keys that went already are answered by the other node, later. Nothing may rely on the order of commands on
different keys.

**Sent again.** A call that is redirected did nothing. One whose answer was lost may have been carried out, and is
repeated all the same: counts are changed by scripts alone and those refuse what they did before (`apply`, `claim`,
`move_fence` by fence, claim or offset; `amend_order`, `park_return`, `drop_if` by the value that was read;
`put_latest` by position; `erase_customer` by time; `sweep`, `give_up` find nothing left). Commands
set, delete or read, except for `HINCRBY` of an epoch, of which a worker may skip some.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from stream.errors import StateUnavailable
from stream.tables.cluster_nodes import ClusterNodes
from stream.tables.cluster_scan import scan_primaries
from stream.tables.keys import never_written
from stream.tables.redis_url import Host, RedisPlace
from stream.tables.scripts import by_digest, by_source, may_empty_a_key, translated
from stream.tables.servers import AnotherLifeError, Servers
from stream.tables.store import Command, Script

PAUSES_S = (0.0, 0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Before each time of sending. What is still refused after the last is left to the caller, who waits longer."""


class _Call:
    """A command on its way; `asked` is the node that a slot under way sent it to, `answer` may be an error."""

    __slots__ = ("answer", "asked", "command", "script", "slot")

    def __init__(self, command: Command, key: bytes, script: Script | None = None) -> None:
        self.command, self.script = command, script
        self.slot = key_slot(key)
        self.asked: Host | None = None
        self.answer: Any = None


class ClusterStore:
    """Pipelined commands and scripts over all primaries. Looks the cluster up at the first call."""

    def __init__(
        self,
        place: RedisPlace,
        *,
        timeout_s: float = 5.0,
        max_connections: int = 16,
        servers: Servers | None = None,
    ) -> None:
        self._servers = servers or Servers()
        self._nodes = ClusterNodes(
            place.hosts,
            place.options,
            timeout_s=timeout_s,
            max_connections=max_connections,
            greet=self._servers.greet,
        )
        self._where, self._timeout_s = place.shown, timeout_s
        # A call takes a connection to each node at most; those beyond the connections there are wait for one.
        self._room = asyncio.Semaphore(max_connections)

    async def commands(self, commands: Sequence[Command]) -> list[Any]:
        """See `Store`. SCAN answers with all keys of all primaries at once."""
        if len(commands) == 1 and commands[0][0] == "SCAN":
            async with self._room:
                return [[b"0", await scan_primaries(self._nodes, commands[0][3], self._timeout_s)]]
        return await self._run([_Call(command, _key_of(command)) for command in commands])

    async def scripts(self, scripts: Sequence[Script]) -> list[Any]:
        """See `Store`. A node that has not got a script is sent its text."""
        return await self._run(
            [_Call(by_digest(script), script.keys[0], script) for script in map(_all_or_nothing, scripts)]
        )

    async def _run(self, calls: Sequence[_Call]) -> list[Any]:
        """The answers to all calls, within one time limit. Raises StateUnavailable, StateLost, OperatorError."""
        self._servers.check()
        waiting = list(calls)
        try:
            async with self._room, asyncio.timeout(self._timeout_s):
                for pause_s in PAUSES_S:
                    if not waiting:
                        break
                    await asyncio.sleep(pause_s)
                    waiting = await self._send(waiting)
        except TimeoutError as exc:
            raise StateUnavailable(f"Redis at {self._where} did not answer in {self._timeout_s:g} s") from exc
        for call in calls:
            if isinstance(call.answer, AskError):
                raise StateUnavailable(
                    f"Redis at {self._where}: slot {call.slot} is sent to and fro: {call.answer}"
                )
            if isinstance(call.answer, RedisError):
                raise translated(call.answer, self._where)
        return [call.answer for call in calls]

    async def _send(self, calls: Sequence[_Call]) -> list[_Call]:
        """Send each call to its node, all nodes at once; returns those that have to be sent again."""
        nodes = self._nodes
        if nodes.outdated:
            await nodes.look(nodes.looks)
        by_node: dict[Host, list[_Call]] = {}
        for call in calls:
            by_node.setdefault(call.asked or nodes.primary_of(call.slot), []).append(call)
        groups = [self._exchange(node, group) for node, group in by_node.items()]
        if len(groups) == 1:
            await groups[0]
        else:
            await asyncio.gather(*groups)
        return [call for call in calls if self._again(call)]

    async def _exchange(self, node: Host, calls: Sequence[_Call]) -> None:
        """Exchange a node's share. A node that fails, or keeps us waiting too long, is suspected."""
        commands: list[Command] = []
        for call in calls:
            if call.asked:
                commands.append(("ASKING",))
            commands.append(call.command)
        try:
            answers = iter(await self._nodes.exchange(node, commands))
        except RedisError as exc:
            self._nodes.suspects.add(node)
            for call in calls:
                call.answer = exc
            return
        except asyncio.CancelledError:
            self._nodes.suspects.add(node)
            raise
        for call in calls:
            if call.asked:
                next(answers)
            call.answer = next(answers)
            if isinstance(call.answer, AskError) and not call.answer.host:
                call.answer.host = node[0]  # "the host you just asked"

    def _again(self, call: _Call) -> bool:
        """Whether a call has to be sent again, to whom the answer says."""
        answer = call.answer
        if not isinstance(answer, RedisError) or isinstance(answer, AnotherLifeError):
            return False
        call.asked = None
        if isinstance(answer, MovedError):
            self._nodes.moved(call.slot, (answer.host, answer.port))
        elif isinstance(answer, AskError):
            call.asked = (answer.host, answer.port)
        elif isinstance(answer, NoScriptError) and call.script is not None:
            call.command = by_source(call.script)
        elif isinstance(answer, ResponseError):
            return isinstance(answer, (TryAgainError, ClusterDownError))
        return True

    async def close(self) -> None:
        """See `Store`."""
        await self._nodes.close()


def _all_or_nothing(script: Script) -> Script:
    """The script in such a form that it does not begin while its slot is under way, if it may empty a key.

    A node that is giving a slot away runs a script whose keys are all still there, but when the script comes back to
    a key that it has just emptied, that key is "not local" any more: the script ends there, and what it did stays
    done. A key among the others that is nowhere keeps it from beginning.
    """
    if not may_empty_a_key(script.name):
        return script
    return script._replace(keys=[*script.keys, never_written(script.keys[0])])


def _key_of(command: Command) -> bytes:
    """The key a command is about; those of several keys name keys of one tag."""
    key = command[2] if command[0] == "MEMORY" else command[1]
    assert isinstance(key, bytes), f"{command[0]} is sent to no key: a cluster does not know where to"
    return key
