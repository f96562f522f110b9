"""What `tables rebuild --follow` shows: bars on a terminal, lines elsewhere, and an end."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from stream.commands import rebuilding
from stream.settings import Settings, load_settings

STEPS = [{"order-placed": (0, 8)}, {"order-placed": (5, 8)}, {"order-placed": (8, 8)}]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers that need three looks."""
    looks = iter(STEPS)

    async def replayed(_: Settings) -> dict[str, tuple[int, int]]:
        return next(looks)

    monkeypatch.setattr(rebuilding, "replayed", replayed)
    monkeypatch.setattr(rebuilding, "LOOK_S", 0.0)
    yield
    assert next(looks, None) is None


@pytest.mark.parametrize(
    ("terminal", "shown"), [(True, "━"), (False, "order-placed: 5 of 8\norder-placed: 8 of 8\n")]
)
async def test_a_rebuild_is_followed_until_the_workers_are_through(
    steps: None, monkeypatch: pytest.MonkeyPatch, terminal: bool, shown: str
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(rebuilding, "notes", Console(file=said, force_terminal=terminal, width=100))

    await rebuilding.follow_replay(load_settings({}))

    assert shown in said.getvalue()


async def test_workers_that_come_through_between_two_looks_are_shown_where_they_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands = {"order-placed": (0, 8)}

    async def replayed(_: Settings) -> dict[str, tuple[int, int]]:
        return dict(stands)

    async def nothing_left(_: Settings) -> bool:
        stands["order-placed"] = (8, 8)
        return True

    said = io.StringIO()
    monkeypatch.setattr(rebuilding, "replayed", replayed)
    monkeypatch.setattr(rebuilding, "nothing_left", nothing_left)
    monkeypatch.setattr(rebuilding, "LOOK_S", 0.0)
    monkeypatch.setattr(rebuilding, "notes", Console(file=said, width=100))

    await rebuilding.follow_replay(load_settings({}))

    assert said.getvalue() == "order-placed: 0 of 8\norder-placed: 8 of 8\n"
