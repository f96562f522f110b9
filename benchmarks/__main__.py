"""`python -m benchmarks`: tables on stdout, progress on stderr; `--check` makes a missed mark an error.

Exit code 0; 1 when `--check` finds a missed mark; 2 when something did not run.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.bench import NAMES, Bench, staged
from benchmarks.latency import LatencyRun
from benchmarks.marks import marks
from benchmarks.plan import QUICK, Plan
from stream.errors import OperatorError

BESIDE = Path(__file__).parents[2] / "shared/data/online_retail/orders.jsonl.gz"
"""A history that lies beside the checkout is used when it is there."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each contestant (default 3)")
    parser.add_argument("--records", type=float, metavar="FACTOR", default=1.0, help="times as many records")
    parser.add_argument("--seconds", type=float, metavar="S", help="measured time of each latency run")
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help=f"any of: {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--history", metavar="NAME|FILE", help="real orders, as `basketstream demo` takes them"
    )
    parser.add_argument("--broker", metavar="HOST:PORT", help="your Kafka (default: one of ours)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every rate there")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run at all?")
    parser.add_argument("--check", action="store_true", help="exit 1 when a mark is missed")
    return parser.parse_args(arguments)


def plan_of(given: argparse.Namespace) -> Plan:
    """How much to measure."""
    plan = (QUICK if given.quick else Plan()).scaled(given.records)
    return replace(plan, rounds=given.rounds or plan.rounds, load_seconds=given.seconds or plan.load_seconds)


async def run(given: argparse.Namespace, console: Console, notes: Console) -> bool:
    """Measure, show and write; returns whether no mark was missed."""
    start_s = time.monotonic()

    def progress(text: str) -> None:
        notes.print(f"{time.monotonic() - start_s:5.0f} s  {text}", highlight=False)

    history = given.history or (str(BESIDE) if BESIDE.exists() else None)
    plan = plan_of(given)
    async with staged(given.broker or "apache", plan) as stage:
        facts = await report.machine(stage.broker, stage.redis.url)
        bench = Bench(stage, set(given.only or NAMES), history, progress)
        rates = await bench.rates()
        runs: list[LatencyRun] = await bench.latencies(rates)
    report.show(console, rates, runs, facts)
    if given.json:
        given.json.write_bytes(report.as_json(facts, plan, rates, runs, time.monotonic() - start_s))
    return all(mark.reached is not False for mark in marks(rates))


def main() -> None:
    """Run it."""
    # A topic that was made a moment ago has its leader before its leader knows: aiokafka warns and tries again.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    given = options()
    notes = Console(stderr=True)
    try:
        reached = asyncio.run(run(given, Console(width=None if sys.stdout.isatty() else 160), notes))
    except OperatorError as exc:
        notes.print(f"{exc.problem}\n{exc.remedy}", style="red", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1 if given.check and not reached else 0)


if __name__ == "__main__":
    main()
