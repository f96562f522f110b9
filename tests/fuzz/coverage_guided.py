"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz.coverage_guided codec --runs 1000000`.

libFuzzer mutates the seeds, keeps what reaches new code, and stops at the first input that raises; it is written
beside the corpus. It ends the process itself, with the number of inputs on stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import atheris

TARGETS = {
    "codec": (
        "tests.fuzz.codec_target",
        "check_bytes",
        ["stream.codec", "stream.errors", "stream.fields"],
        4_096,
    ),
    "tables": (
        "tests.fuzz.tables_target",
        "check_operations",
        ["stream.tables", "stream.decisions.window"],
        256,
    ),
}
"""By name: the module, its function that takes bytes, what of the product is instrumented, most bytes of an input."""


def main() -> None:
    """Fuzz one target; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="what reached new code; made if it is not there"
    )
    chosen = parser.parse_args()
    module_name, function, instrumented, most_bytes = TARGETS[chosen.target]
    with atheris.instrument_imports(include=instrumented):
        module = import_module(module_name)
    chosen.corpus.mkdir(parents=True, exist_ok=True)
    make_seeds: Callable[[], Iterator[bytes]] = module.seeds
    seeds = list(make_seeds())
    for number, seed in enumerate(seeds):
        (chosen.corpus / f"seed-{number:03d}").write_bytes(seed)
    options = [
        f"-runs={chosen.runs}",
        f"-seed={chosen.seed}",
        f"-max_len={most_bytes}",
        "-print_final_stats=1",
    ]
    findings = chosen.corpus.parent / f"found-{chosen.target}-"
    options += ["-len_control=0", f"-artifact_prefix={findings}", "-timeout=60"]
    if words := sorted(getattr(module, "words", set)()):
        dictionary = chosen.corpus.parent / f"{chosen.target}.dict"
        dictionary.write_text("".join(f'"\\"{word}\\""\n' for word in words))
        options.append(f"-dict={dictionary}")

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        # The parser is C and tells libFuzzer nothing: left alone, it would forget the seeds that reach deep into it.
        if seed % 2:
            data = seeds[seed // 2 % len(seeds)][:most]
        mutated: bytes = atheris.Mutate(data, most)
        return mutated

    command = [sys.argv[0], *options, str(chosen.corpus)]
    atheris.Setup(command, getattr(module, function), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
