"""A TCP link that can be broken in the ways networks break, for one Redis or one Kafka listener.

It runs on a loop and a thread of its own, so it works on while the test's loop waits. All methods may be called from
any thread and have taken effect when they return. A fault holds for the connections there are and for later ones
until `heal`.

| method | what both ends see |
|---|---|
| `reset` | every connection is reset (RST) now; new ones work |
| `refuse` | new connections are refused; those there are go on |
| `blackhole` | nothing arrives in either direction, and nobody is told |
| `hold` | the same in one direction: a half-open link |
| `slow` | every byte comes later, and no more than so many a second |
| `lose_replies` | the request arrives, the connection is reset in place of its reply |

What is held is not thrown away: as with TCP's own retransmission it arrives after `heal`, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from tests.faults.calls import AnyCalls, Calls
from tests.faults.link import Direction, Faults, Link

T = TypeVar("T")

#: Longest wait for the proxy's own thread, seconds.
ANSWER_S = 10.0


class Proxy:
    """Listens on 127.0.0.1:`port` and forwards to 127.0.0.1:`target`. A context manager; also `start` and `close`.

    `port` 0 takes a free one; `port` says which. `calls` makes what tells requests and replies of one connection
    apart (`tests/faults/calls.py`).
    """

    def __init__(self, target: int, *, port: int = 0, calls: Callable[[], Calls] = AnyCalls) -> None:
        self.port = port
        self._target = target
        self._calls = calls
        self._faults = Faults()
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="proxy")
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- life

    def start(self) -> Proxy:
        """Listen."""
        self._loop = asyncio.new_event_loop()
        self._thread.submit(self._loop.run_forever)
        self._run(self._listen())
        return self

    def close(self) -> None:
        """Reset all connections and stop listening."""
        loop = self._loop
        if loop is None:
            return
        self._run(self._end())
        loop.call_soon_threadsafe(loop.stop)
        self._thread.shutdown()
        loop.close()
        self._loop = None

    def __enter__(self) -> Proxy:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- faults

    def heal(self) -> None:
        """Everything passes again; what was held arrives."""
        self._run(self._heal())

    def reset(self) -> None:
        """Reset every connection now."""
        self._run(self._reset())

    def refuse(self) -> None:
        """Refuse new connections."""
        self._run(self._deafen())

    def blackhole(self) -> None:
        """Let nothing through in either direction."""
        self.hold(Direction.REQUESTS, Direction.REPLIES)

    def hold(self, *directions: Direction) -> None:
        """Let nothing through in these directions."""
        self._do(lambda: self._faults.hold(*directions))

    def slow(self, *, delay_s: float = 0.0, bytes_per_s: float | None = None) -> None:
        """Delay every byte, each direction on its own, and limit how many a second each connection carries."""
        self._do(lambda: self._faults.slow(delay_s, bytes_per_s))

    def lose_replies(self, *, times: int | None = 1, every: int = 1) -> None:
        """Lose the reply to every `every`th request from now on, `times` of them in all (None: until healed)."""
        self._do(lambda: self._faults.lose_replies(times, every))

    # -- what was seen

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    @property
    def lost_replies(self) -> int:
        """Replies that `lose_replies` has eaten so far."""
        return self._faults.lost_replies

    @property
    def bytes_passed(self) -> dict[Direction, int]:
        """Bytes delivered so far in each direction."""
        return dict(self._faults.bytes_passed)

    # -- inside the thread

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None, "the proxy is not running"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_S)

    def _do(self, change: Callable[[], None]) -> None:
        async def now() -> None:
            change()

        self._run(now())

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link((reader, writer), self._target, self._faults, self._calls())
        # A task of its own to cancel: Python 3.11 complains of a cancelled connection callback.
        task = asyncio.create_task(link.run())
        self._links[link] = task
        await asyncio.wait([task])
        del self._links[link]

    async def _heal(self) -> None:
        self._faults.heal()
        await self._listen()

    async def _reset(self) -> None:
        for link in list(self._links):
            link.reset()

    async def _deafen(self) -> None:
        # Not `wait_closed`: it would wait for the connections that go on.
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end(self) -> None:
        await self._deafen()
        await self._reset()
        carrying = list(self._links.values())
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
