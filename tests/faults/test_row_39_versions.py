"""Row 39: workers of two layout versions meet on one Redis, upwards and downwards."""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec
import pytest

from stream.tables.keys import LAYOUT_VERSION
from tests.faults.arena import FAILING, Arena
from tests.faults.worker_process import ROOT, WorkerProcess

OTHER = LAYOUT_VERSION + 1
"""The layout version of the other program; ours is 1."""


async def keys_of(arena: Arena, version: int) -> int:
    """How many keys of a layout version there are in the namespace."""
    scan = ("SCAN", 0, "MATCH", arena.tables.keys.everything(), "COUNT", 1_000_000)
    keys = (await arena.tables.store.commands([scan]))[0][1]
    return sum(f":v{version}:".encode() in key for key in keys)


async def refused(arena: Arena, worker: WorkerProcess, said: str) -> None:
    """A worker that ends with exit code 2 and says why."""
    assert await arena.died(worker) == 2
    assert said in worker.said()
    assert "Nothing was changed." in worker.said()


async def rebuild(arena: Arena, version: int) -> None:
    """Stop all workers and run `tables rebuild` of a program of that layout version."""
    arena.watch.commits_may_go_back = arena.watch.fences_may_go_back = True
    for worker in arena.running():
        await arena.stop_worker(worker)
    values = msgspec.to_builtins(arena.settings).items()
    environ = {f"BASKETSTREAM_{name.upper()}": str(value) for name, value in values}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", FAILING, "tables", "rebuild", "--yes"),
        cwd=ROOT,
        env={**os.environ, **environ, "FAULTS_LAYOUT": str(version)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    arena.history.note("rebuilt", version=version, said=said.decode())
    assert process.returncode == 0, said.decode()


@pytest.mark.fault(39)
@pytest.mark.rotation
async def test_a_newer_worker_is_refused_beside_older_ones_and_they_count_on(arena: Arena) -> None:
    await arena.start(workers=2, max_batch=100)
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=60)
    await arena.sleep(0.2, 1.0)
    newer = await arena.start_worker(FAULTS_LAYOUT=str(OTHER))
    await refused(arena, newer, f"have layout {LAYOUT_VERSION}, made by an older basketstream")
    await arena.prove()
    assert len(arena.running()) == 2
    assert await keys_of(arena, OTHER) == 0


@pytest.mark.fault(39)
async def test_an_older_worker_refuses_tables_of_a_newer_layout(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.tables.keys.LAYOUT_VERSION", OTHER)
    await arena.start(workers=0)
    for _ in range(2):
        await arena.start_worker(FAULTS_LAYOUT=str(OTHER))
    await asyncio.gather(*(worker.ready() for worker in arena.workers))
    arena.flow(orders=30, baskets=30, every_s=0.05, steps=60)
    await arena.sleep(0.2, 1.0)
    await refused(arena, await arena.start_worker(), f"have layout {OTHER}, made by a newer basketstream")
    await arena.prove()
    assert await keys_of(arena, LAYOUT_VERSION) == 0


@pytest.mark.fault(39)
async def test_an_upgrade_and_the_way_back_count_the_log_again(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    await arena.start(workers=2, max_batch=100)
    await arena.publish(arena.log.step(200, 50))
    await arena.caught_up()

    for version, before in ((OTHER, LAYOUT_VERSION), (LAYOUT_VERSION, OTHER)):
        await rebuild(arena, version)
        assert await keys_of(arena, before) == await keys_of(arena, version) == 0
        for _ in range(2):
            await arena.start_worker(FAULTS_LAYOUT=str(version))
        await arena.publish(arena.log.step(100, 50))
        monkeypatch.setattr("stream.tables.keys.LAYOUT_VERSION", version)
        await arena.prove()
        assert await keys_of(arena, before) == 0
