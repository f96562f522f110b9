"""What a Redis URL says."""

from __future__ import annotations

import pytest

from stream.errors import OperatorError
from stream.tables.redis_url import read_redis_url


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://127.0.0.1:6380/2", {"host": "127.0.0.1", "port": 6380, "db": 2}),
        ("redis://anna:p%40ss@h/0", {"host": "h", "db": 0, "username": "anna", "password": "p@ss"}),
        ("unix:///run/redis.sock?db=3", {"path": "/run/redis.sock", "db": 3}),
    ],
)
def test_a_plain_url_names_one_server(url: str, options: dict[str, object]) -> None:
    place = read_redis_url(url)

    assert (place.kind, place.hosts) == ("server", ())
    assert options.items() <= place.options.items()


def test_a_cluster_is_found_through_any_of_its_nodes() -> None:
    place = read_redis_url("redis+cluster://:secret@a:7001,b,[::1]:7003")

    assert (place.kind, place.options) == ("cluster", {"password": "secret"})
    assert place.hosts == (("a", 7001), ("b", 6379), ("::1", 7003))


def test_sentinels_name_the_service_and_the_database() -> None:
    place = read_redis_url("redis+sentinel://a:26379,b/shop/4?sentinel_password=x")

    assert (place.kind, place.service) == ("sentinel", "shop")
    assert place.hosts == (("a", 26379), ("b", 26379))
    assert place.options == {"db": 4, "sentinel_password": "x"}


@pytest.mark.parametrize("url", ["rediss://a:1", "rediss+cluster://a:1", "rediss+sentinel://a:1/shop"])
def test_two_s_mean_tls(url: str) -> None:
    place = read_redis_url(f"{url}?ssl_ca_certs=/ca.pem")

    assert place.options["ssl_ca_certs"] == "/ca.pem"
    assert place.options["connection_class"].__name__ == "SSLConnection"


@pytest.mark.parametrize(
    "url",
    [
        "redis://anna:secret@h:1/0",
        "redis+cluster://anna:secret@h:1",
        "redis+sentinel://anna:secret@h:1/s?x=secret",
    ],
)
def test_what_people_are_shown_holds_no_password(url: str) -> None:
    assert "secret" not in read_redis_url(url).shown
    assert "h:1" in read_redis_url(url).shown


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://h:1",
        "redis+http://h:1",
        "unix+cluster:///x",
        "redis://h:port/0",
        "redis+cluster://a:1/3",
        "redis+cluster://a:1,,b:2",
        "redis+cluster://",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/shop/first",
        "redis+sentinel://anna:secret@a:99999/shop",
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(OperatorError) as error:
        read_redis_url(url)

    assert "redis+sentinel://HOST:PORT" in error.value.remedy
    assert "secret" not in error.value.problem
