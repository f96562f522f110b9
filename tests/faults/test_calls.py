"""Calls as the link tells them apart: which of them loses its reply, however the bytes are cut."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.faults.calls import CallsWith, KafkaCalls
from tests.faults.proxy import Proxy


def test_redis_counts_an_increment_whose_reply_was_lost(redis_url: str) -> None:
    with (
        redis.Redis.from_url(redis_url) as direct,
        Proxy(
            int(direct.connection_pool.connection_kwargs["port"]), calls=lambda: CallsWith(b"INCR")
        ) as proxy,
        redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)) as through,
    ):
        proxy.lose_replies()

        with pytest.raises(redis.ConnectionError):
            through.incr("n")

        assert (direct.get("n"), proxy.lost_replies) == (b"1", 1)
        assert through.incr("n") == 2


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_kafka_frames_are_told_apart_however_they_are_cut(size: int) -> None:
    def number(n: int) -> bytes:
        return n.to_bytes(4, "big")

    fetch, produce = b"\0\1\0\1", b"\0\0\0\1"
    asked = frame(fetch + number(1) + b"x" * 50) + frame(produce + number(2) + b"y" * 70)
    asked += frame(produce + number(3))
    said = frame(number(1) + b"z" * 30) + frame(number(2)) + frame(number(3) + b"w")
    calls = KafkaCalls()

    for at in range(0, len(asked), size):
        calls.requested(asked[at : at + size])
    begun = [calls.replied(said[at : at + size]) for at in range(0, len(said), size)]

    assert sum(begun) == 2
