"""The keeper: a process of its own that holds broker and Redis, so that they outlive the demo (`--keep`).

It ends, and they with it, at SIGTERM or Ctrl-C: `kill PID`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from msgspec import Struct

from stream.embedded.broker import Broker
from stream.embedded.choice import chosen_broker, chosen_redis
from stream.errors import OperatorError


class Kept(Struct, frozen=True):
    """What a keeper holds, as it says itself when both answer; `problem` when it could not."""

    pid: int
    bootstrap: str = ""
    kind: Literal["embedded", "apache", "given"] = "given"
    idempotent: bool = True
    redis_url: str = ""
    problem: str | None = None
    remedy: str = ""

    @property
    def broker(self) -> Broker:
        """The broker held."""
        return Broker(self.bootstrap, self.kind, idempotent=self.idempotent)


@asynccontextmanager
async def kept_services(broker: str, redis: str) -> AsyncIterator[Kept]:
    """Broker and Redis that stay when the body ends well, and go when it does not.

    Raises OperatorError when one of them cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream.demo.keeper", broker, redis),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        # Whoever waits for the end of our output must not wait for the keeper.
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = await process.stdout.readline()
        if not said:
            raise OperatorError("Broker and Redis could not be started.", "Try without --keep to see why.")
        kept = msgspec.json.decode(said, type=Kept)
        if kept.problem is not None:
            raise OperatorError(kept.problem, kept.remedy)
        yield kept
    except BaseException:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        raise


async def keep(broker_choice: str, redis_choice: str) -> None:
    """Start both, say so in one line on stdout, and hold them until asked to end."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    try:
        async with chosen_broker(broker_choice) as broker, chosen_redis(redis_choice) as url:
            _say(Kept(os.getpid(), broker.bootstrap, broker.kind, broker.idempotent, url))
            await end.wait()
    except OperatorError as exc:
        if not end.is_set():
            _say(Kept(os.getpid(), problem=exc.problem, remedy=exc.remedy))


def _say(kept: Kept) -> None:
    try:
        os.write(sys.stdout.fileno(), msgspec.json.encode(kept) + b"\n")
    except BrokenPipeError:
        return  # the demo is gone; nobody wants to know


if __name__ == "__main__":
    asyncio.run(keep(*sys.argv[1:3]))
