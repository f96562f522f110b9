"""`python -m tests.model`: every state of every scenario, then what breaks without each step, as Markdown."""

from __future__ import annotations

import argparse
import time

from tests.model.breaking import BREAKS
from tests.model.checker import check
from tests.model.protocol import machine
from tests.model.scenarios import SCENARIOS, without


def main() -> None:
    """Print the two tables of docs/protocol-model.md. Exit code 1 when an invariant breaks with all steps in place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", action="store_true", help="the counter-examples in full")
    chosen = parser.parse_args()
    broken = False
    print("| scenario | states | actions | seconds |\n|---|---:|---:|---:|")
    for name, scenario in SCENARIOS.items():
        begun = time.monotonic()
        outcome = check(machine(scenario))
        broken = broken or outcome.violation is not None
        verdict = "" if outcome.violation is None else f" BROKEN: {outcome.violation}"
        seconds = time.monotonic() - begun
        print(f"| {name}{verdict} | {outcome.states:,} | {outcome.actions:,} | {seconds:.0f} |", flush=True)
    print("\n| step | without it | actions to get there |\n|---|---|---:|")
    for step, found in BREAKS.items():
        violation = check(machine(without(found.scenario, step))).violation
        assert violation is not None, step
        print(f"| {step.value} | {violation.invariant} | {len(violation.trace)} |", flush=True)
        if chosen.traces:
            print("".join(f"    {line}\n" for line in violation.trace))
    raise SystemExit(broken)


if __name__ == "__main__":
    main()
