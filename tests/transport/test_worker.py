"""The worker as a process: readiness, signals, exit codes, no port."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.transport.workers import Cluster, rows


class Process:
    """A running worker process and the lines it has written."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.lines: list[str] = []

    async def line(self, start: str) -> str:
        """The next line that starts so."""
        assert self.child.stdout is not None
        async with asyncio.timeout(30):
            while True:
                line = (await self.child.stdout.readline()).decode()
                assert line, f"ended before {start!r}: {self.lines}"
                self.lines.append(line.rstrip())
                if line.startswith(start):
                    return line.rstrip()

    async def end(self, how: signal.Signals) -> int:
        """Send the signal and return the exit code."""
        self.child.send_signal(how)
        return await self.code()

    async def code(self) -> int:
        """The exit code, once it has one."""
        async with asyncio.timeout(30):
            rest, _ = await self.child.communicate()
        self.lines += rest.decode().splitlines()
        assert self.child.returncode is not None
        return self.child.returncode


@asynccontextmanager
async def worker_process(cluster: Cluster, topic: str, group: str, way: str = "") -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.transport.worker_program",
        *(cluster.bootstrap, topic, group, way),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    process = Process(child)
    try:
        yield process
    finally:
        if child.returncode is None:
            child.kill()
            await process.code()


async def test_the_first_batch_is_there_five_seconds_after_the_start(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(4)
    await cluster.fill(topic, {0: rows(10)})
    started = time.monotonic()

    async with worker_process(cluster, topic, group) as worker:
        await worker.line("ready")
        await worker.line("batch 0 0 9")
        took_s = time.monotonic() - started

    assert took_s < 5
    assert [line for line in worker.lines if "worker ready" in line] == [
        f"log stream.worker worker ready: group {group}, 4 partitions"
    ]


async def test_the_worker_opens_no_port(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)

    async with worker_process(cluster, topic, group) as worker:
        await worker.line("ready")
        sockets = psutil.Process(worker.child.pid).net_connections(kind="all")

    assert sockets
    assert [s.laddr for s in sockets if s.status == psutil.CONN_LISTEN] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_worker_with_everything_committed(
    cluster: Cluster, group: str, how: signal.Signals
) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})

    async with worker_process(cluster, topic, group) as worker:
        await worker.line("batch 0 0 9")
        assert await worker.end(how) == 0

    assert await cluster.committed(group, topic) == {0: 10}


async def test_a_worker_that_is_told_to_stop_before_it_has_begun_ends_without_an_error(
    cluster: Cluster, group: str
) -> None:
    topic = await cluster.topic(1)

    async with worker_process(cluster, topic, group, "early") as worker:
        assert await worker.code() == 0

    assert not [line for line in worker.lines if "Error" in line or line == "ready"]


async def test_a_worker_whose_start_positions_fail_says_why_and_ends(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)

    async with worker_process(cluster, topic, group, "fail") as worker:
        assert await worker.code() == 2

    told = worker.lines.index("operator The tables are empty.")
    assert worker.lines[told + 1] == "Run tables rebuild."


async def test_a_stop_that_takes_longer_than_its_budget_is_cut_short(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)

    async with worker_process(cluster, topic, group, "hang") as worker:
        await worker.line("ready")
        assert await worker.end(signal.SIGTERM) == 3

    assert any("worker did not stop within 1.0 s" in line for line in worker.lines)


async def test_a_killed_worker_leaves_the_uncommitted_to_the_next(cluster: Cluster, group: str) -> None:
    topic = await cluster.topic(1)
    await cluster.fill(topic, {0: rows(10)})

    async with worker_process(cluster, topic, group) as worker:
        await worker.line("batch 0 0 9")
        await worker.end(signal.SIGKILL)
    committed = (await cluster.committed(group, topic)).get(0, 0)
    await cluster.fill(topic, {0: rows(10)})

    async with worker_process(cluster, topic, group) as second:
        line = await second.line("batch")

    assert line.startswith(f"batch 0 {committed} ")
