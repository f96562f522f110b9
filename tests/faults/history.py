"""The history of one round: everything that was done to the system, one JSON object a line.

The first line holds the seed, the row and the round, which is enough to run it again: `--replay PATH`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class History:
    """Appends facts to a file as they happen; `t` is seconds since the round began."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()
        self._file = path.open("w", buffering=1)

    def note(self, what: str, **facts: Any) -> None:
        """One line; `facts` must be JSON."""
        line = {"t": round(time.monotonic() - self._began, 3), "what": what, **facts}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def read_history(path: Path) -> list[dict[str, Any]]:
    """All lines of a history, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()]
