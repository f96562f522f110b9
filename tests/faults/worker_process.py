"""A worker process of the arena: the product's command, or the same with failpoints."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.faults.nursery import ForkedProcess, Nursery

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
POLL_S = 0.05
READY = "worker ready"


class WorkerProcess:
    """One process and what it says on stderr."""

    def __init__(self, name: str, process: asyncio.subprocess.Process | ForkedProcess, log: Path) -> None:
        self.name, self.process, self.log = name, process, log
        self.paused = False
        self._was_ready = False

    @classmethod
    async def start(
        cls, name: str, program: str, environ: Mapping[str, str], log: Path, nursery: Nursery | None = None
    ) -> WorkerProcess:
        """Start `python -m program worker`, or have the nursery fork it; it may not be ready yet.

        What a library is preloaded into has to be started: the loader does nothing at a fork.
        """
        if nursery is not None and "LD_PRELOAD" not in environ:
            return cls(name, await asyncio.to_thread(nursery.start, program, environ, log), log)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", program, "worker"),
                cwd=ROOT,
                env={**os.environ, **environ},
                stderr=output,
            )
        return cls(name, process, log)

    @property
    def running(self) -> bool:
        """It has not ended; a paused one has not."""
        return self.process.returncode is None

    def works(self) -> bool:
        """It has got as far as reading records, has not ended and does not stand still."""
        self._was_ready = self._was_ready or READY in self.said()
        return self._was_ready and self.running and not self.paused

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    async def ready(self) -> None:
        """Return once it reads records; fails when it ends first or takes too long."""
        await self.says(READY)

    async def says(self, text: str, *, within_s: float = PATIENCE_S) -> None:
        """Return once its log holds `text`; fails when it ends without."""
        async with asyncio.timeout(within_s):
            while text not in self.said():
                assert self.running, (
                    f"{self.name} ended with {self.process.returncode}:\n{self.said()[-4000:]}"
                )
                await asyncio.sleep(POLL_S)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait; the exit code. One that has ended already is left alone."""
        if self.running:
            self.resume()
            self.process.send_signal(how)
        return await self.process.wait()

    async def exit_code(self, *, within_s: float = PATIENCE_S) -> int:
        """Wait for it to end by itself."""
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: it stands still and keeps its connections."""
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """SIGCONT."""
        if self.paused:
            self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def resources(self) -> tuple[int, int]:
        """(resident bytes, open file descriptors); zeros for one that has ended."""
        folder = Path(f"/proc/{self.process.pid}")
        try:
            pages = int((folder / "statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir(folder / "fd"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return 0, 0
