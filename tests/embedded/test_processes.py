"""A child process is ready before it is used, missed when it dies, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stream.embedded.process import ChildProcess, kept_alive, run_program
from stream.errors import OperatorError

WAIT = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + WAIT
)

PARENT = """
import asyncio, sys
from stream.embedded import embedded_redis
async def main():
    async with embedded_redis() as server:
        print(server.process.pid, server.process.log.parent, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def child(tmp_path: Path, code: str, says: str = "") -> ChildProcess:
    """A Python program that is ready when it has said `says`."""
    log = tmp_path / "child.log"

    async def ready() -> bool:
        return says in log.read_text()

    return ChildProcess("The child", [sys.executable, "-c", code], log=log, ready=ready)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true before the test gives up."""

    async def poll() -> bool:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.02)
        return True

    return asyncio.run(poll())


@pytest.fixture
def parent(tmp_path: Path) -> subprocess.Popen[str]:
    """A program that runs an embedded Redis until it is told to end."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


async def test_a_child_that_dies_before_it_is_ready_shows_the_end_of_its_log(tmp_path: Path) -> None:
    dying = child(tmp_path, "import sys; print('no room on the disk'); sys.exit(3)", says="never")

    with pytest.raises(OperatorError) as error:
        await dying.start()

    assert "exit code 3" in error.value.problem
    assert "no room on the disk" in error.value.problem


async def test_a_child_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    slow = child(tmp_path, WAIT, says="never")

    with pytest.raises(OperatorError, match="was not ready after 0 s"):
        await slow.start(timeout_s=0.2)

    assert not slow.running


async def lose(lost: ChildProcess) -> None:
    """Start it, kill it behind its back, and wait for ever."""
    async with kept_alive(lost):
        await lost.start()
        os.kill(lost.pid, signal.SIGKILL)
        await asyncio.Event().wait()


async def test_losing_a_child_ends_the_body_with_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="The child ended unexpectedly by signal 9"):
        await lose(child(tmp_path, WAIT))

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_losing_a_child_outranks_the_error_that_came_of_it(tmp_path: Path) -> None:
    lost = child(tmp_path, WAIT)

    async def body() -> None:
        async with kept_alive(lost):
            await lost.start()
            os.kill(lost.pid, signal.SIGKILL)
            try:
                await asyncio.Event().wait()
            finally:
                raise ConnectionError("nobody answers")

    with pytest.raises(OperatorError, match="The child ended unexpectedly") as error:
        await body()

    assert isinstance(error.value.__context__, ConnectionError)


async def test_a_cancelled_body_stops_its_children_and_stays_cancelled(tmp_path: Path) -> None:
    kept = child(tmp_path, WAIT)

    async def body() -> None:
        async with kept_alive(kept):
            await kept.start()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    while not kept.running:
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not kept.running


async def test_stopping_on_purpose_is_no_loss_and_starting_again_works(tmp_path: Path) -> None:
    twice = child(tmp_path, WAIT)

    async with kept_alive(twice):
        await twice.start()
        first = twice.pid
        await twice.kill()
        await twice.start()

        assert twice.running
        assert twice.pid != first
    assert gone(first)
    assert gone(twice.pid)


async def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    stubborn = child(tmp_path, STUBBORN, says="deaf")
    await stubborn.start()

    await stubborn.stop(grace_s=0.1)

    assert gone(stubborn.pid)


async def test_a_program_that_takes_too_long_is_killed() -> None:
    with pytest.raises(OperatorError, match="took longer"):
        await run_program([sys.executable, "-c", WAIT], timeout_s=0.2)


async def test_a_program_gives_its_exit_code_and_what_it_printed() -> None:
    code = "import sys; print('to stdout'); print('to stderr', file=sys.stderr); sys.exit(4)"

    exit_code, printed = await run_program([sys.executable, "-u", "-c", code], timeout_s=60)

    assert exit_code == 4
    assert sorted(printed.split("\n")) == ["", "to stderr", "to stdout"]


def test_children_die_with_a_parent_that_is_killed(
    parent: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, folder = _started(parent)

    parent.kill()
    parent.communicate()

    assert eventually(lambda: gone(pid))
    assert Path(folder).exists()
    _sweep(tmp_path, monkeypatch)
    assert not Path(folder).exists()


def test_ctrl_c_leaves_nothing_behind(parent: subprocess.Popen[str]) -> None:
    pid, folder = _started(parent)

    parent.send_signal(signal.SIGINT)
    parent.communicate()

    assert gone(pid)
    assert not Path(folder).exists()


def _started(parent: subprocess.Popen[str]) -> tuple[int, str]:
    assert parent.stdout is not None
    pid, folder = parent.stdout.readline().split()
    return int(pid), folder


def _sweep(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stream.embedded.scratch import remove_abandoned

    monkeypatch.setattr("tempfile.tempdir", str(folder))
    remove_abandoned()
