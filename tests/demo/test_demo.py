"""The demo as a command: a result that holds, a worker killed on the way, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from stream.embedded import Broker

Result = tuple[int, dict[str, Any] | None, str]

TIMEOUT_S = 150.0


async def start(*arguments: str, scratch: Path, idempotent: bool | None = None) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BASKETSTREAM_")}
    if idempotent is not None:
        environ["BASKETSTREAM_IDEMPOTENT"] = str(int(idempotent))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "demo", "--json", *arguments),
        env={**environ, "TMPDIR": str(scratch)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def result_of(demo: asyncio.subprocess.Process) -> Result:
    async with asyncio.timeout(TIMEOUT_S):
        out, err = await demo.communicate()
    lines = out.decode().splitlines()
    assert len(lines) <= 1, "exactly one line on stdout"
    return demo.returncode or 0, json.loads(lines[0]) if lines else None, err.decode()


async def until(seen: Callable[[], Any]) -> Any:
    async with asyncio.timeout(TIMEOUT_S):
        while not (found := seen()):
            await asyncio.sleep(0.05)
    return found


def worker_of(demo: asyncio.subprocess.Process) -> psutil.Process | None:
    for child in psutil.Process(demo.pid).children():
        if child.cmdline()[-2:] == ["stream", "worker"]:
            return child
    return None


def at_work(scratch: Path, times: int = 1) -> bool:
    return any(log.read_text().count("worker ready") >= times for log in scratch.glob("*/worker.log"))


async def test_every_basket_is_answered_and_the_tables_are_right_although_the_worker_is_killed(
    kafka: Broker, tmp_path: Path
) -> None:
    where = ("--broker", kafka.bootstrap)
    demo = await start("--orders", "150", *where, scratch=tmp_path, idempotent=kafka.idempotent)
    await until(lambda: at_work(tmp_path))
    worker = worker_of(demo)
    assert worker is not None
    worker.kill()

    code, summary, notes = await result_of(demo)

    assert summary is not None, notes
    assert code == 0
    assert "starting it again" in notes
    assert summary["tables_verified"] is True
    assert summary["dead_letters"] == 0
    assert summary["orders"] == 150
    assert summary["suggestions"] == summary["baskets"] > 1_000
    assert summary["broker"] == kafka.bootstrap
    assert summary["redis"] == "embedded"
    assert list(tmp_path.iterdir()) == []


async def test_an_interrupt_ends_everything(tmp_path: Path) -> None:
    demo = await start("--orders", "2000", "--dataset", "pizzaplace", scratch=tmp_path)
    await until(lambda: at_work(tmp_path))
    family = psutil.Process(demo.pid).children(recursive=True)
    demo.send_signal(signal.SIGINT)

    code, summary, notes = await result_of(demo)

    assert (code, summary) == (130, None), notes
    assert len(family) >= 3
    assert [process for process in family if process.is_running()] == []
    assert list(tmp_path.iterdir()) == []


async def test_what_is_kept_stays_until_it_is_ended(tmp_path: Path) -> None:
    demo = await start("--orders", "20", "--dataset", "pizzaplace", "--keep", scratch=tmp_path)

    code, summary, notes = await result_of(demo)

    assert code == 0, notes
    assert summary is not None
    keeper = psutil.Process(int(re.findall(r"kill (\d+)", notes)[0]))
    kept = keeper.children(recursive=True)
    try:
        assert len(kept) >= 2
        exported = dict(re.findall(r"export (\w+)=(\S*)", notes))
        assert exported["BASKETSTREAM_BROKER"] == summary["broker"]
        assert exported["BASKETSTREAM_REDIS_URL"] == summary["redis"]
        dump = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream", "tables", "dump"),
            env={**os.environ, **exported},
            stdout=asyncio.subprocess.PIPE,
        )
        rows = (await dump.communicate())[0].splitlines()
        assert sum(json.loads(row)["table"] == "order" for row in rows) == 20
    finally:
        keeper.terminate()
    psutil.wait_procs([keeper, *kept], timeout=20)
    assert [process for process in kept if process.is_running()] == []
