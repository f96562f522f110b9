"""Many commands in one piece, and their answers read in one go; redis-py brings the connection and its errors.

redis-py's pipeline looks at every command and awaits every answer through six calls of Python, which was a fifth of
what an order costs: a batch is hundreds of commands, and what each needs is packing and parsing, both in C.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
from redis._parsers import _AsyncHiredisParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError


class AnswersParser(_AsyncHiredisParser):
    """Reads the answers to many commands. An error among them is an answer."""

    async def read_answers(self, count: int) -> list[Any]:
        """Raises redis-py's ConnectionError when the server ended the connection, or says that it cannot serve."""
        reader: Any = self._reader
        answers: list[Any] = []
        while len(answers) < count:
            answer = reader.gets()
            if answer is NOT_ENOUGH_DATA:
                await self.read_from_socket()  # type: ignore[no-untyped-call]
            elif isinstance(answer, RedisConnectionError):
                raise answer
            else:
                answers.append(answer)
        return answers


class Exchanging:
    """A connection that exchanges whole batches; mixed into redis-py's classes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"parser_class": AnswersParser, **options})

    def pack_commands(self, commands: Iterable[Iterable[Any]]) -> list[bytes]:
        """The commands as one piece of bytes."""
        return [b"".join([hiredis.pack_command(tuple(command)) for command in commands])]

    async def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Send commands and read their answers, of which some may be errors. Takes as long as it takes.

        Raises redis-py's ConnectionError. A connection that was not read to its end is closed.
        """
        connection: Any = self
        await connection.send_packed_command(self.pack_commands(commands))
        try:
            answers: list[Any] = await connection._parser.read_answers(len(commands))
        except OSError as exc:
            await connection.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while reading: {exc.args}") from exc
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return answers


class OfPrimary(Exchanging):
    """A connection to the primary that sentinels name; closed when the server says it is a replica."""

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Greet the server as usual, then ask for its role; raises ConnectionError unless it is the primary."""
        connection: Any = self
        await super().on_connect_check_health(check_health=check_health)  # type: ignore[misc]
        await connection.send_command("ROLE", check_health=False)
        role = (await connection.read_response())[0]
        if role not in (b"master", "master"):
            raise RedisConnectionError(f"{connection.host}:{connection.port} is a {role!r}, not the primary")

    async def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """As any other; raises ConnectionError when the server is the primary no more, so that it is looked for."""
        answers = await super().exchange(commands)
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            connection: Any = self
            await connection.disconnect(nowait=True)
            raise RedisConnectionError("the primary has become a replica")
        return answers
