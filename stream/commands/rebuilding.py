"""What `tables rebuild` shows: keys that are deleted, and how far the workers have counted the log again."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from stream.rebuild import nothing_left, rebuild, replayed
from stream.settings import Settings
from stream.tables.tables import Tables

LOOK_S = 1.0
"""Between two looks at how far the workers are."""

notes = Console(stderr=True)


def _progress() -> Progress:
    """Bars on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=notes, disable=not notes.is_terminal)


async def delete_shown(settings: Settings) -> int:
    """Rebuild with a bar for the keys; how many were deleted. Raises OperatorError."""
    tables = Tables.on_redis(settings)
    try:
        with _progress() as bars:
            bar = bars.add_task("keys deleted", total=None)
            return await rebuild(
                settings, tables, lambda done, total: bars.update(bar, completed=done, total=total)
            )
    finally:
        await tables.close()


async def follow_replay(settings: Settings) -> None:
    """Return once the workers have counted all there is; a bar a topic, or a line whenever something changed."""
    with _progress() as bars:
        tasks: dict[str, TaskID] = {}
        shown: dict[str, tuple[int, int]] = {}
        last = False
        while True:
            progress = await replayed(settings)
            for name, (done, total) in progress.items():
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=done, total=total)
                if not notes.is_terminal and shown.get(name) != (done, total):
                    notes.print(f"{name}: {done} of {total}", highlight=False)
            if last or all(done >= total for done, total in progress.values()):
                return
            # Found out after the look above: where they stood meanwhile is shown before the end.
            last = progress == shown and await nothing_left(settings)
            shown = progress
            await asyncio.sleep(0.0 if last else LOOK_S)
