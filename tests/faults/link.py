"""One proxied connection, and the faults all connections of a proxy share. Lives on the proxy's loop."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
from collections import Counter
from contextlib import suppress

from tests.faults.calls import Calls

CHUNK_BYTES = 64 * 1024
#: Chunks that are on their way in one direction at a time; more stay in the sender's kernel.
CHUNKS_ON_THE_WAY = 16
#: A limited link is served in pieces of so many seconds' worth of bytes.
PIECE_S = 0.05

Chunk = tuple[float, bytes | None]
"""When it came, and what."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Direction(enum.Enum):
    """Which way bytes go: from the client, or back to it."""

    REQUESTS = enum.auto()
    REPLIES = enum.auto()


class Faults:
    """What a proxy does to its connections at the moment."""

    def __init__(self) -> None:
        self.open = {direction: asyncio.Event() for direction in Direction}
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.lost_replies = 0
        self.bytes_passed: Counter[Direction] = Counter()
        self._losses: int | None = 0
        self._every = 1
        self._calls = 0
        self.heal()

    def heal(self) -> None:
        """No faults; held directions go on."""
        for gate in self.open.values():
            gate.set()
        self.slow(0.0, None)
        self.lose_replies(0, 1)

    def hold(self, *directions: Direction) -> None:
        """Let nothing more through in these directions."""
        for direction in directions:
            self.open[direction].clear()

    def slow(self, delay_s: float, bytes_per_s: float | None) -> None:
        """Delay of every byte, and most bytes a second of one connection and direction."""
        self.delay_s, self.bytes_per_s = delay_s, bytes_per_s

    def lose_replies(self, times: int | None, every: int) -> None:
        """Of every `every`th call from now on the reply is lost, `times` in all; None is without end."""
        self._losses, self._every, self._calls = times, every, 0

    def loses_reply(self) -> bool:
        """Whether the reply that just begins is to be lost; called once a reply."""
        if self._losses == 0:
            return False
        self._calls += 1
        if self._calls % self._every:
            return False
        if self._losses is not None:
            self._losses -= 1
        self.lost_replies += 1
        return True


class Link:
    """A client's connection and ours to the target."""

    def __init__(self, client: Streams, target: int, faults: Faults, calls: Calls) -> None:
        self._client = client
        self._target = target
        self._faults = faults
        self._calls = calls
        self._server: Streams | None = None

    async def run(self) -> None:
        """Carry bytes until both ends are done or the link is reset."""
        try:
            self._server = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(Direction.REQUESTS, self._client[0], self._server[1]))
                ways.create_task(self._carry(Direction.REPLIES, self._server[0], self._client[1]))
            for writer in (self._client[1], self._server[1]):
                writer.close()
                await writer.wait_closed()
        except* OSError:
            pass  # one end was reset, or does not listen: the other one is reset below
        finally:
            self.reset()

    def reset(self) -> None:
        """End it on both sides with an RST, if it has not ended yet."""
        end_with_rst(self._client[1])
        if self._server is not None:
            end_with_rst(self._server[1])

    async def _carry(
        self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        on_the_way: asyncio.Queue[Chunk] = asyncio.Queue(CHUNKS_ON_THE_WAY)
        async with asyncio.TaskGroup() as group:
            group.create_task(_take_in(reader, on_the_way))
            group.create_task(self._hand_out(direction, on_the_way, writer))

    async def _hand_out(
        self, direction: Direction, on_the_way: asyncio.Queue[Chunk], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            came_at, data = await on_the_way.get()
            await asyncio.sleep(came_at + self._faults.delay_s - asyncio.get_running_loop().time())
            await self._faults.open[direction].wait()
            if data is None:
                raise ConnectionResetError("the other end was reset")
            if not data:
                writer.write_eof()
                return
            if direction is Direction.REQUESTS:
                self._calls.requested(data)
            elif sum(self._faults.loses_reply() for _ in range(self._calls.replied(data))):
                await self._lose_reply()
            await self._send(direction, data, writer)

    async def _send(self, direction: Direction, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data:
            rate = self._faults.bytes_per_s
            piece = data if rate is None else data[: max(1, int(rate * PIECE_S))]
            data = data[len(piece) :]
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)
                await self._faults.open[direction].wait()
            writer.write(piece)
            await writer.drain()
            self._faults.bytes_passed[direction] += len(piece)

    async def _lose_reply(self) -> None:
        """Reset the client alone; the target keeps what it was sent and hears of the end in good order."""
        end_with_rst(self._client[1])
        assert self._server is not None
        writer = self._server[1]
        with suppress(OSError):
            await writer.drain()
            writer.write_eof()
        raise ConnectionResetError("the reply was lost")


async def _take_in(reader: asyncio.StreamReader, on_the_way: asyncio.Queue[Chunk]) -> None:
    """Bytes, an end (empty) or a reset (None): the other end hears of each only when its turn comes."""
    data: bytes | None = b"."
    while data:
        try:
            data = await reader.read(CHUNK_BYTES)
        except OSError:
            data = None
        await on_the_way.put((asyncio.get_running_loop().time(), data))


def end_with_rst(writer: asyncio.StreamWriter) -> None:
    """End a connection with an RST, now; nothing happens to one that has ended."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is None or writer.transport.is_closing():
        return
    with suppress(OSError):
        # Lingering for no time is what makes an end an RST.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
