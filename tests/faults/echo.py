"""The two ends of a link under test: a server that answers in capitals, and a client that hears it."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.proxy import Proxy

PATIENCE_S = 10.0
SILENCE_S = 0.3
"""So long nothing must come. A link that leaks within it fails the test; a slow machine cannot."""


class Echo:
    """A server that answers every line with itself in capitals, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.ends: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(data.upper())
                await writer.drain()
            self.ends.append("in good order")
        except OSError:
            self.ends.append("reset")
        finally:
            writer.close()

    async def has_heard(self, what: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while what not in self.heard:
                await asyncio.sleep(0.005)

    async def has_ended(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while not self.ends:
                await asyncio.sleep(0.005)
        return self.ends[-1]


class Client:
    """Our end of a connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def through(cls, proxy: Proxy) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    def say(self, what: bytes) -> None:
        self.writer.write(what)

    async def hears(self, what: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            assert await self.reader.readexactly(len(what)) == what

    async def hears_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await self.reader.read(1)

    async def is_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(PATIENCE_S):
                await self.reader.read(1)

    def close(self) -> None:
        self.writer.close()
