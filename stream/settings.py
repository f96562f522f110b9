"""Settings: read once from the environment and the command line, then passed down.

Every field is an environment variable `BASKETSTREAM_<FIELD>`; all bad values are reported together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from stream.errors import OperatorError
from stream.kafka_address import read_kafka_address

PREFIX = "BASKETSTREAM_"

Positive = Annotated[int, Meta(ge=1)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set, with its default and unit."""

    broker: str = "127.0.0.1:9092"
    """Kafka: `HOST:PORT[,HOST:PORT]`, with SASL `kafka://USER:PASSWORD@HOST:PORT`, with TLS `kafkas://...` (all forms:
    `stream/kafka_address.py`)."""

    redis_url: str = "redis://127.0.0.1:6379/0"
    """Where the tables live: one server, `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB` or
    `redis+cluster://HOST:PORT,HOST:PORT` (all forms: `stream/tables/redis_url.py`)."""

    group: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "basketstream"
    """Kafka consumer group; workers of one group share the partitions."""

    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "bs"
    """First part of every Redis key; one shop, one namespace."""

    topic_prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Put before every topic name, for several shops on one Kafka."""

    tags: Annotated[int, Meta(ge=1, le=999)] = 64
    """Shares of the tables, each atomic and on one cluster node; fixed at the first start."""

    pane_s: Annotated[int, Meta(ge=1)] = 86_400
    """Length of a pane of the window, seconds; fixed at the first start."""

    window_panes: Positive = 90
    """Panes that co-purchase counts cover."""

    customer_window_panes: Positive = 365
    """Panes that a customer's orders and spend cover."""

    tiers: str = "none:0,bronze:10000,silver:50000,gold:150000,platinum:500000"
    """Customer tiers, lowest first: `name:threshold` in minor units of any one currency."""

    idempotent: bool = True
    """Idempotent producer; switch off only for a broker that refuses it (the embedded one does)."""

    fit_weights: bool = True
    """Whether this worker fits precision weights and measures scorers; where no worker does, the baseline speaks."""

    max_batch: Annotated[int, Meta(ge=1, le=10_000)] = 2_000
    """Most records of one fetch, over all partitions: larger ones coalesce more, smaller ones answer sooner."""

    cache_age_s: Annotated[float, Meta(ge=0)] = 1.0
    """How long a worker may use counts and products it has read; 0 reads them for every batch."""

    commit_interval_s: Annotated[float, Meta(gt=0)] = 1.0
    """Time between commits to Kafka."""

    session_timeout_s: Annotated[float, Meta(ge=1)] = 10.0
    """A worker silent for so long loses its partitions."""

    rebalance_timeout_s: Annotated[float, Meta(ge=1)] = 10.0
    """Time a rebalance waits for every worker."""

    heartbeat_s: Annotated[float, Meta(gt=0)] = 1.0
    """Time between heartbeats to the group coordinator."""

    stuck_after_s: Annotated[float, Meta(ge=1)] = 120.0
    """A partition with records that makes no progress for so long ends its worker (exit code 4). Keep it above a
    minute: one attempt may wait so long for Kafka."""

    on_gap: Literal["stop", "skip"] = "stop"
    """Orders or returns that the log deleted before they were counted: stop, or go on without them and count them."""

    expiry_interval_s: Annotated[float, Meta(gt=0)] = 1.0
    """Time between looks for panes that left the window."""

    max_offers: Annotated[int, Meta(ge=0, le=50)] = 5
    """Offers in a suggestion when the basket asks for no other number."""

    policy_file: str = ""
    """TOML file with the shop's policy (limits, caps, pins, boosts, bans, complements, rules), read again when it
    changes; without one the defaults hold."""

    answer_orders: Literal["none", "consented", "all"] = "consented"
    """Whose orders are answered with a suggestion: nobody's, those of customers who agreed to be contacted on some
    channel, or all, anonymous ones included (for the page or the receipt that confirms the order)."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    def tier_table(self) -> tuple[tuple[str, int], ...]:
        """The tiers as (name, threshold), lowest first; raises OperatorError when they do not rise from 0."""
        try:
            table = tuple(
                (name.strip(), int(threshold))
                for name, threshold in (part.rsplit(":", 1) for part in self.tiers.split(","))
            )
        except ValueError as exc:
            raise _bad_tiers(self.tiers) from exc
        thresholds = [threshold for _, threshold in table]
        names = {name for name, _ in table}
        if thresholds[0] != 0 or thresholds != sorted(set(thresholds)) or len(names) < len(table):
            raise _bad_tiers(self.tiers)
        return table


def _bad_tiers(value: str) -> OperatorError:
    return OperatorError(
        f"{PREFIX}TIERS is {value!r}.",
        "Write distinct `name:threshold` pairs with whole, rising thresholds that start at 0.",
    )


def load_settings(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from `BASKETSTREAM_*` variables, then from `given` (a value of None is not given).

    Raises OperatorError naming every variable that is unknown or bad, or what is wrong with the broker's address.
    """
    source = os.environ if environ is None else environ
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    found = {name[len(PREFIX) :].lower(): text for name, text in source.items() if name.startswith(PREFIX)}
    for name, text in sorted(found.items()):
        if name.startswith("test_"):
            continue
        if name not in types:
            problems.append(f"{PREFIX}{name.upper()}: no such setting")
            continue
        try:
            values[name] = msgspec.convert(text, types[name], strict=False)
        except msgspec.ValidationError as exc:
            problems.append(f"{PREFIX}{name.upper()}={text!r}: {exc}")
    for name, value in given.items():
        if value is None:
            continue
        try:
            values[name] = msgspec.convert(value, types[name], strict=False)
        except msgspec.ValidationError as exc:
            problems.append(f"{name}={value!r}: {exc}")
    if problems:
        raise OperatorError("Bad settings:\n  " + "\n  ".join(problems), "Correct them and start again.")
    settings = Settings(**values)
    settings.tier_table()
    read_kafka_address(settings.broker)
    return settings
