"""`python -m stream.contracts`: write `schemas/` from the typed events, unless that would break a promise.

`--allow-breaks` writes all the same; that is for topics nobody reads yet.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stream.contracts import SCHEMAS, write
from stream.contracts.evolution import breaks_in


def main(arguments: list[str], folder: Path = SCHEMAS) -> int:
    """Exit code 1, and nothing written, when a published version would be broken."""
    broken = breaks_in(folder)
    if broken and "--allow-breaks" not in arguments:
        sys.stderr.write("".join(f"{line}\n" for line in broken))
        sys.stderr.write("These break the published v1: make the change optional, or a new topic version.\n")
        return 1
    for name in write(folder):
        sys.stdout.write(f"{folder.name}/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
