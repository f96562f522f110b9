"""The supervised worker: started again when it dies, given up when it does not get to work, gone at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from stream.demo.supervised_worker import SHORT_LIVES, SupervisedWorker, supervised
from stream.errors import OperatorError

READY_THEN_WAIT = "import os, time; print('worker ready', os.getpid(), flush=True); time.sleep(600)"


def worker(code: str, log: Path, told: list[str]) -> SupervisedWorker:
    return SupervisedWorker([sys.executable, "-c", code], os.environ, log=log, on_restart=told.append)


def pids(log: Path) -> list[int]:
    return [int(line.split()[-1]) for line in log.read_text().splitlines()] if log.exists() else []


async def next_pid(log: Path, count: int) -> int:
    async with asyncio.timeout(30):
        while len(pids(log)) < count:
            await asyncio.sleep(0.01)
    return pids(log)[-1]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    one = worker(READY_THEN_WAIT, tmp_path / "log", told)

    async with supervised(one):
        await one.wait_ready()
        os.kill(await next_pid(tmp_path / "log", 1), signal.SIGKILL)
        second = await next_pid(tmp_path / "log", 2)
        assert runs(second)

    assert not runs(second)
    assert one.restarts == 1
    assert told == ["The worker ended by signal 9; starting it again."]


async def test_a_worker_that_gives_up_is_not_started_for_ever(tmp_path: Path) -> None:
    told: list[str] = []
    one = worker("print('no Kafka here'); raise SystemExit(2)", tmp_path / "log", told)

    with pytest.raises(OperatorError, match=r"with exit code 2(.|\n)*no Kafka here"):
        async with supervised(one):
            await asyncio.Event().wait()

    assert len(told) == SHORT_LIVES - 1


async def test_a_worker_that_will_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.demo.supervised_worker.GRACE_S", 0.2)
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY_THEN_WAIT}"
    one = worker(stubborn, tmp_path / "log", [])

    async with supervised(one):
        pid = await next_pid(tmp_path / "log", 1)

    assert not runs(pid)


async def test_an_error_in_the_body_is_the_one_that_is_raised(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with supervised(worker(READY_THEN_WAIT, tmp_path / "log", [])):
            raise KeyError
