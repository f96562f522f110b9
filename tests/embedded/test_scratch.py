"""Temporary folders and ports of embedded services."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stream.embedded.ports import answers, free_ports
from stream.embedded.scratch import remove_abandoned, scratch_folder


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_folder_in_use_survives_the_sweep_of_another() -> None:
    with scratch_folder("first") as first, scratch_folder("second") as second:
        remove_abandoned()

        assert first.is_dir()
        assert second.is_dir()

    assert not first.exists()
    assert not second.exists()


def test_the_folder_of_a_dead_process_is_removed_by_the_next(tmp_path: Path) -> None:
    # A lock file that nobody holds is what a killed process leaves.
    abandoned = tmp_path / "basketstream-kafka-abc"
    abandoned.mkdir()
    (abandoned / "owner.lock").touch()

    with scratch_folder("next"):
        assert not abandoned.exists()


def test_folders_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "valuable"
    elsewhere.mkdir()
    (elsewhere / "owner.lock").touch()
    (tmp_path / "basketstream-link").symlink_to(elsewhere, target_is_directory=True)
    unmarked = tmp_path / "basketstream-without-a-lock"
    unmarked.mkdir()

    remove_abandoned()

    assert (elsewhere / "owner.lock").exists()
    assert unmarked.exists()


def test_free_ports_are_different_and_nobody_listens_on_them() -> None:
    ports = free_ports(6)

    assert len(set(ports)) == 6
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


async def test_a_port_answers_only_while_somebody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not await answers(port)
        listener.listen()
        assert await answers(port)

    assert not await answers(port)
