"""Three ways to break the worker under test: the harness has to notice each of them.

Only `tests.faults.failing_worker` calls this, in its own process; the product's files stay as they are.
"""

from __future__ import annotations

from stream.tables import scripts
from stream.tables.store import ScriptName

BROKEN: dict[str, tuple[str, str]] = {
    # A batch that was applied is applied again.
    "fence": (
        "  local fence = fence_of(key, field)\n  if fence < known",
        "  do return nil end\n  if fence < known",
    ),
    # A second record of an order counts as the first.
    "claim": ("mine = string.sub(claim, 1, 12) == position", "mine = true"),
    # Whoever holds an epoch, an old one too, may write.
    "epoch": ("  if held > epoch then", "  do return nil end\n  if held > epoch then"),
}
"""Lua text of the product -> what stands there instead."""


def sabotage(part: str) -> None:
    """Break `part` of every script of this process; raises RuntimeError when the product has no such line any more."""
    sound, broken = BROKEN[part]
    source_of = scripts.script_source
    names = [name for name in scripts._PRELUDES if sound in source_of(name)]
    if not names:
        raise RuntimeError(f"no script holds {sound!r}: the sabotage of the {part} has to follow the product")

    def broken_source(name: ScriptName) -> str:
        return source_of(name).replace(sound, broken)

    setattr(scripts, "script_source", broken_source)  # noqa: B010  mypy would not let us
