"""A watched child process: it is ready before it is used, missed when it dies, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from stream.embedded import leash
from stream.errors import OperatorError

_POLL_S = 0.05
_TAIL_LINES = 20

Ready = Callable[[], Awaitable[bool]]


class ChildProcess:
    """One program, started and stopped as often as one likes.

    It gets a session of its own, so that Ctrl-C reaches us alone and we stop it in order, and it is tied to
    our life by `leash`. What it prints goes to the file `log`.
    """

    def __init__(self, name: str, command: Sequence[str], *, log: Path, ready: Ready) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._ready = ready
        self._process: asyncio.subprocess.Process | None = None
        self._wanted = False
        self._lost = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """It has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def lost(self) -> bool:
        """It was ready and ended although nobody asked it to."""
        return self._lost.is_set()

    async def start(self, *, timeout_s: float = 60.0) -> None:
        """Start it and return when it is ready.

        Raises OperatorError with the end of its log when it dies first or takes longer than `timeout_s`.
        """
        self._lost.clear()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leashed(self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watch = asyncio.create_task(self._notice_the_end(self._process), name=f"watch {self.name}")
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._ready():
                    if not self.running:
                        raise self.failure()
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as exc:
            await self.stop()
            raise self._complaint(f"was not ready after {timeout_s:.0f} s") from exc
        except BaseException:
            await self.stop()
            raise
        self._wanted = True

    async def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask it to end, insist after `grace_s`. Nothing happens when it is not running."""
        await self._end(signal.SIGTERM, grace_s)
        await self._end(signal.SIGKILL, None)

    async def kill(self) -> None:
        """End it at once, as a crash would; it does not count as lost."""
        await self._end(signal.SIGKILL, None)

    async def wait_lost(self) -> None:
        """Return when it is lost."""
        await self._lost.wait()

    def failure(self) -> OperatorError:
        """Why it is gone, with the end of its log."""
        code = self._process.returncode if self._process else None
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return self._complaint(f"ended unexpectedly {how}")

    def tail(self) -> str:
        """The last lines it printed."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def _complaint(self, what: str) -> OperatorError:
        tail = self.tail() or "(it printed nothing)"
        return OperatorError(
            f"{self.name} {what}. The end of its log:\n{tail}", "Mend the cause and start again."
        )

    async def _notice_the_end(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        if self._wanted:
            self._lost.set()

    async def _end(self, how: signal.Signals, grace_s: float | None) -> None:
        self._wanted = False
        if self._process is None or self._watch is None or self._process.returncode is not None:
            return
        # It may end by itself just now; the wait sees that too.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)
        await asyncio.wait([self._watch], timeout=grace_s)


@asynccontextmanager
async def kept_alive(*children: ChildProcess, grace_s: float = 10.0) -> AsyncIterator[None]:
    """Cancel the body when one of the children is lost, and raise OperatorError saying which and why.

    The children are stopped at the end, all at the same time, and killed after `grace_s`.
    """
    body = asyncio.current_task()
    assert body is not None
    cancelled_before = body.cancelling()
    alarmed = False

    async def guard(child: ChildProcess) -> None:
        nonlocal alarmed
        await child.wait_lost()
        alarmed = True
        body.cancel()

    guards = [asyncio.create_task(guard(child), name=f"guard {child.name}") for child in children]
    try:
        yield
    except asyncio.CancelledError:
        # A cancellation that came from us alone ends here, as an error that says what happened.
        if not alarmed or body.uncancel() > cancelled_before:
            raise
    finally:
        for task in guards:
            task.cancel()
        await asyncio.gather(*guards, return_exceptions=True)
        failure = next((child.failure() for child in children if child.lost), None)
        await asyncio.gather(*(child.stop(grace_s=grace_s) for child in children))
        if failure is not None:
            # Whatever else went wrong in the body went wrong because of this; it stays as the context.
            raise failure


async def run_program(command: Sequence[str], *, timeout_s: float) -> tuple[int, str]:
    """Exit code and everything printed by a program that ends by itself.

    It is killed when we are cancelled or when it takes longer, which raises OperatorError.
    """
    process = await asyncio.create_subprocess_exec(
        *leashed(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            printed, _ = await process.communicate()
    except TimeoutError as exc:
        raise OperatorError(
            f"{command[0]} took longer than {timeout_s:.0f} s.", "Is the network, or this machine, very slow?"
        ) from exc
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, printed.decode(errors="replace")


def leashed(command: Sequence[str]) -> list[str]:
    """The command under the launcher that ties it to this process."""
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
