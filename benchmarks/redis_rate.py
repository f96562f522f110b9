"""What redis-benchmark says of the same Redis: pipelined ZINCRBY of random members in random sets."""

from __future__ import annotations

import re
import shutil
from urllib.parse import urlsplit

import redis.asyncio

from stream.embedded.process import run_program
from stream.embedded.redis import RedisServer
from stream.errors import OperatorError

DATABASE = 2
PIPELINED = 64
KEYS = 100_000
TIMEOUT_S = 120.0

_RATE = re.compile(r"([0-9.]+) requests per second")


async def zincrby_per_s(server: RedisServer, operations: int) -> float:
    """ZINCRBY a second, 64 in a pipeline. Raises OperatorError when the program is missing or fails."""
    program = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if program is None:
        raise OperatorError("There is no redis-benchmark on PATH.", "Install redis-tools, or use --only.")
    port = str(urlsplit(server.url).port)
    code, printed = await run_program(
        [
            program, "-h", "127.0.0.1", "-p", port, "--dbnum", str(DATABASE), "-P", str(PIPELINED), "-q",
            "-n", str(operations), "-r", str(KEYS), "ZINCRBY", "key:__rand_int__", "1", "member:__rand_int__",
        ],
        timeout_s=TIMEOUT_S,
    )  # fmt: skip
    rates = _RATE.findall(printed)
    if code != 0 or not rates:
        raise OperatorError(f"redis-benchmark failed (exit code {code}):\n{printed}", "Is Redis up?")
    client = redis.asyncio.Redis.from_url(f"{server.url.rsplit('/', 1)[0]}/{DATABASE}")
    try:
        await client.flushdb()
    finally:
        await client.aclose()
    return float(rates[-1])
