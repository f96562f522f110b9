"""Which bytes of a connection are requests, and which reply answers which: what `lose_replies` counts."""

from __future__ import annotations

import struct
from typing import Protocol

PRODUCE = 0
"""Kafka's api key of a produce request."""


class Calls(Protocol):
    """The calls of one connection."""

    def requested(self, data: bytes) -> None:
        """Bytes from the client."""
        ...

    def replied(self, data: bytes) -> int:
        """Bytes from the server; returns how many replies of interest begin in them."""
        ...


class AnyCalls:
    """Protocols without numbers, as Redis's: a reply begins when the server speaks after the client did.

    A pipeline is one call.
    """

    def __init__(self) -> None:
        self._waiting = False

    def requested(self, data: bytes) -> None:
        """See `Calls`."""
        self._waiting = True

    def replied(self, data: bytes) -> int:
        """See `Calls`."""
        begins, self._waiting = self._waiting, False
        return int(begins)


class CallsWith(AnyCalls):
    """As `AnyCalls`, of those calls alone whose request holds `word`, say b"EVALSHA".

    A word that is cut in two by the network is found as well.
    """

    def __init__(self, word: bytes) -> None:
        super().__init__()
        self._word = word
        self._request = b""

    def requested(self, data: bytes) -> None:
        """See `Calls`."""
        seen = self._request + data
        if self._word in seen:
            self._waiting = True
        self._request = seen[-len(self._word) + 1 :] if len(self._word) > 1 else b""


class KafkaCalls:
    """Kafka's calls of one api key: a frame is its length, then api key, version, correlation id; a reply its
    length, then the correlation id."""

    def __init__(self, api_key: int = PRODUCE) -> None:
        self._api_key = api_key
        self._requests, self._replies = _Frames(8), _Frames(4)
        self._waiting: set[int] = set()

    def requested(self, data: bytes) -> None:
        """See `Calls`."""
        for header in self._requests.headers(data):
            api_key, _, correlation = struct.unpack(">hhi", header)
            if api_key == self._api_key:
                self._waiting.add(correlation)

    def replied(self, data: bytes) -> int:
        """See `Calls`."""
        answered = {struct.unpack(">i", header)[0] for header in self._replies.headers(data)} & self._waiting
        self._waiting -= answered
        return len(answered)


class _Frames:
    """Cuts a stream of length-prefixed frames; keeps the first `size` bytes of each, its header."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pending = b""
        self._skip = 0

    def headers(self, data: bytes) -> list[bytes]:
        """Headers that are complete with these bytes."""
        found = []
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        rest = self._pending + data[skipped:]
        while len(rest) >= 4 + self._size:
            length = int.from_bytes(rest[:4], "big")
            found.append(rest[4 : 4 + self._size])
            self._skip = max(0, 4 + length - len(rest))
            rest = rest[4 + length :]
        self._pending = rest
        return found
