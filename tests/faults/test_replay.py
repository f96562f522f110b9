"""A recorded round can be thrown again: the same dice, the same plan, the same events."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from tests.faults.history import read_history
from tests.faults.worker_process import ROOT
from tests.services import Services

ROUND = "test_baskets_deleted_under_a_running_worker_are_counted_and_the_others_answered"
"""A quick one of row 13, on one partition: its plan does not hang on the machine's pace."""
MOST_S = 240.0


async def play(folder: Path, kafka: str, *options: str) -> str:
    """Run rounds in a pytest of their own, on a Kafka that is there; what it printed."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "tests/faults", "-q", "-p", "no:cacheprovider", "--all-rows"),
        *(f"--basetemp={folder}", *options),
        cwd=ROOT,
        env={**environ, "BASKETSTREAM_TEST_KAFKA": kafka},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(MOST_S):
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


def plan_of(folder: Path) -> list[dict[str, Any]]:
    """What one round did, without its times and what it measured."""
    (path,) = folder.glob("*0/history.jsonl")
    lines = [line for line in read_history(path) if line["what"] != "proved"]
    return [{name: fact for name, fact in line.items() if name != "t"} for line in lines]


async def test_a_recorded_round_is_thrown_again_with_its_dice_its_plan_and_its_events(
    services: Services, tmp_path: Path
) -> None:
    kafka = (await asyncio.to_thread(services.kafka)).bootstrap
    first, again = tmp_path / "first", tmp_path / "again"
    await play(first, kafka, "--rounds=2", "--seed=77", "--rows=13", "-k", f"{ROUND} and round2")
    (history,) = first.glob("*0/history.jsonl")

    printed = await play(again, kafka, "--replay", str(history))

    assert "1 passed" in printed
    assert "fault matrix, seed 77" in printed
    assert plan_of(first)[0]["round"] == 2
    assert [line["what"] for line in plan_of(first)].count("published") >= 3
    assert plan_of(again) == plan_of(first)
