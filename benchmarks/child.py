"""A contestant in a process of its own: one JSON argument in, one JSON line out when it is done."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from stream.embedded.process import leashed
from stream.errors import OperatorError

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 120.0

T = TypeVar("T")

_answers = 1
"""Descriptor of the pipe to the parent."""


class Task(Struct, frozen=True):
    """What a contestant is told: where Kafka is, what to read and how many records, where to write."""

    bootstrap: str
    topic: str
    records: int
    variant: str = ""
    output: str = ""
    group: str = ""


class Child:
    """A running program of this package."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self._log = name, process, log

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    async def says(self, what: type[T], *, timeout_s: float = TIMEOUT_S) -> T:
        """The next line it prints. Raises OperatorError when it ends or takes too long."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self.process.stdout.readline()
        except TimeoutError as exc:
            raise self.failure(f"said nothing for {timeout_s:.0f} s") from exc
        if not line:
            raise self.failure("ended without a result")
        return msgspec.json.decode(line, type=what)

    def check(self) -> None:
        """Raise OperatorError when it is gone."""
        if self.process.returncode is not None:
            raise self.failure(f"ended with exit code {self.process.returncode}")

    def failure(self, what: str) -> OperatorError:
        """An error that shows the end of what it logged."""
        tail = "\n".join(self.log().splitlines()[-20:]) or "(it logged nothing)"
        return OperatorError(
            f"{self.name} {what}. The end of its log:\n{tail}", "Mend the cause and start again."
        )

    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text(errors="replace")

    async def end(self, how: signal.Signals, *, grace_s: float = 20.0) -> None:
        """Signal it and wait; kill it after `grace_s`."""
        for number, limit_s in ((how, grace_s), (signal.SIGKILL, None)):
            if self.process.returncode is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self.process.wait()


@asynccontextmanager
async def running(
    name: str, arguments: list[str], folder: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """A Python module as a process for the time of the body; it is killed at the end if it still runs."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", *arguments]),
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        await child.end(signal.SIGKILL)


def given(what: type[T]) -> T:
    """The task this process was given. Anything but `say` prints to stderr from now on."""
    global _answers
    _answers = os.dup(1)
    os.dup2(2, 1)
    return msgspec.json.decode(sys.argv[1], type=what)


def say(answer: Struct) -> None:
    """Tell the parent."""
    os.write(_answers, msgspec.json.encode(answer) + b"\n")
