"""The worker as a process of its own, started again whenever it dies, as a supervisor in production would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from stream.embedded.process import leashed
from stream.errors import OperatorError

SHORT_LIFE_S = 30.0
"""A worker that gave up sooner than this did not get to work."""

SHORT_LIVES = 3
"""So many of them in a row, and starting another one will not help."""

GRACE_S = 20.0
"""Time a worker has to end by itself."""

READY = "worker ready"
"""What a worker logs when records flow."""

_TAIL_LINES = 30


def worker_command() -> list[str]:
    """The command of a worker that finds its settings in the environment."""
    return [sys.executable, "-m", "stream", "worker"]


class SupervisedWorker:
    """Keeps one worker running. `on_restart` is told, in words, each time one died."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        log: Path,
        on_restart: Callable[[str], None],
    ) -> None:
        self._command, self._environ, self._log, self._on_restart = command, environ, log, on_restart
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    async def supervise(self) -> None:
        """Start it, and again whenever it ends. Raises OperatorError when it does not get to work."""
        loop = asyncio.get_running_loop()
        gave_up = 0
        while True:
            since_s = loop.time()
            code = await self._run()
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            # A worker that was killed would have gone on; one that gave up will do so again.
            gave_up = gave_up + 1 if code > 0 and loop.time() - since_s < SHORT_LIFE_S else 0
            if gave_up == SHORT_LIVES:
                raise OperatorError(
                    f"The worker gives up, {how}. The end of its log:\n{self.tail()}",
                    "Mend the cause and start again.",
                )
            self.restarts += 1
            self._on_restart(f"The worker ended {how}; starting it again.")

    async def stop(self) -> None:
        """Ask it to end; insist after `GRACE_S`."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for how, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
            try:
                os.killpg(process.pid, how)
            except ProcessLookupError:
                return  # it ended by itself just now
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                continue
            return

    async def wait_ready(self) -> None:
        """Return when it has said that its partitions are assigned; the caller bounds how long that takes."""
        while READY not in (self._log.read_text(errors="replace") if self._log.exists() else ""):
            await asyncio.sleep(0.05)

    def tail(self) -> str:
        """The last lines it printed."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:]) or "(it printed nothing)"

    async def _run(self) -> int:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leashed(self._command),
                env=dict(self._environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return await self._process.wait()


@asynccontextmanager
async def supervised(worker: SupervisedWorker) -> AsyncIterator[None]:
    """The worker runs for the time of the body; when it cannot, the body ends with OperatorError."""
    body = asyncio.current_task()
    assert body is not None
    failures: list[OperatorError] = []

    async def watch() -> None:
        try:
            await worker.supervise()
        except OperatorError as exc:
            failures.append(exc)
            body.cancel()

    watching = asyncio.create_task(watch(), name="supervise the worker")
    try:
        yield
    except asyncio.CancelledError:
        if not failures:
            raise
        body.uncancel()
        raise failures[0] from None
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await worker.stop()
