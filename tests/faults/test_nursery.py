"""Workers that are forked are processes like those that are started."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.faults.nursery import Nursery

REFUSED = {"BASKETSTREAM_TIERS": "nonsense"}
"""A setting with which a worker ends at once, with the operator's exit code."""


async def test_a_forked_worker_has_its_own_environment_log_and_exit_code(tmp_path: Path) -> None:
    logs = [tmp_path / f"worker-{number}.log" for number in range(2)]
    with Nursery() as nursery:
        workers = [
            await asyncio.to_thread(nursery.start, program, REFUSED, log)
            for program, log in zip(("stream", "tests.faults.failing_worker"), logs, strict=True)
        ]
        async with asyncio.timeout(60):
            codes = await asyncio.gather(*(worker.wait() for worker in workers), workers[0].wait())

    assert codes == [2, 2, 2]
    assert all("BASKETSTREAM_TIERS" in log.read_text() for log in logs)


async def test_a_forked_worker_can_be_killed_and_ends_with_the_nursery(tmp_path: Path) -> None:
    nowhere = {"BASKETSTREAM_BROKER": "127.0.0.1:9", "BASKETSTREAM_REDIS_URL": "redis://127.0.0.1:9/0"}
    with Nursery() as nursery:
        killed = await asyncio.to_thread(nursery.start, "stream", nowhere, tmp_path / "killed.log")
        stays = await asyncio.to_thread(nursery.start, "stream", nowhere, tmp_path / "stays.log")
        assert killed.returncode is None
        killed.send_signal(signal.SIGKILL)
        async with asyncio.timeout(60):
            assert await killed.wait() == -signal.SIGKILL
        killed.send_signal(signal.SIGKILL)
        assert Path(f"/proc/{stays.pid}").exists()
    assert not Path(f"/proc/{killed.pid}").exists()
    async with asyncio.timeout(60):
        while Path(f"/proc/{stays.pid}").exists():
            await asyncio.sleep(0.05)
