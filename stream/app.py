"""The only place that wires: settings in, a Faust app out."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Set
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import faust
from faust.types import TP

from stream import topics
from stream.agents import baskets, customers, erasures, feedback, orders, products, returns
from stream.agents.shell import Host, Shell
from stream.agents.wiring import Wiring
from stream.basket_app import BasketApp
from stream.dead_letters import DeadLetters
from stream.decisions.policy import Policy
from stream.errors import StateLost
from stream.gaps import Gaps
from stream.ops.loop_watch import LoopWatch
from stream.ops.tally import Tally
from stream.ops.watchdog import Sight, Watchdog
from stream.positions import Offsets, Source, TablePositions
from stream.publisher import Publisher
from stream.services.announcer import Announcer
from stream.services.basket_moves import BasketMoves
from stream.services.neighbour_fitter import NeighbourFitter
from stream.services.policy_watch import PolicyWatch
from stream.services.scorer_watch import ScorerWatch
from stream.services.tier_changes import TierChanges
from stream.services.upkeep import Upkeep
from stream.settings import Settings
from stream.tables.dismissal_reader import DismissalReader
from stream.tables.tables import Tables
from stream.tables.view_reader import ViewReader
from stream.transport import Consumer
from stream.verification.log_reader import end_offsets, has_record
from stream.worker import faust_settings

logger = logging.getLogger(__name__)

MOVES_INTERVAL_S = 5.0
"""Time between two tellings of what shoppers did unprompted: so much of it is lost with a worker that dies."""

POLICY_INTERVAL_S = 1.0
"""Time between looks at the policy file."""

AGENTS = (baskets, returns, products, customers, erasures, feedback)


class Parts(NamedTuple):
    """What a worker stands on instead of Redis and Kafka: a replay in memory brings its own."""

    tables: Tables
    publisher: Publisher
    bounds: Offsets
    """Where the logs of partitions begin and end, alike for all who ask: nothing is read of them."""
    shell: Callable[[Host, Tally], Shell]


def create_app(settings: Settings, parts: Parts | None = None) -> BasketApp:
    """A worker's app, over `parts` or what the settings name. Nothing connects before it is started."""
    app = BasketApp(
        **faust_settings(
            settings.broker,
            group=settings.group,
            max_batch_records=settings.max_batch,
            commit_interval_s=settings.commit_interval_s,
            session_timeout_s=settings.session_timeout_s,
            rebalance_timeout_s=settings.rebalance_timeout_s,
            heartbeat_s=settings.heartbeat_s,
        )
    )
    tables = Tables.on_redis(settings) if parts is None else parts.tables
    publisher = (
        Publisher(settings.broker, idempotent=settings.idempotent) if parts is None else parts.publisher
    )
    tally = Tally()
    app.positions = _positions(app, tables, settings, tally, None if parts is None else parts.bounds)
    changes_topic = settings.topic_prefix + topics.CUSTOMER_TIER_CHANGED
    tier_changes = TierChanges(tables.outbox, tables.customers, publisher, changes_topic, tally)
    policy, worker = Policy(max_offers=settings.max_offers), uuid.uuid4().hex
    views = ViewReader(tables, policy, max_age_s=settings.cache_age_s)
    watch = ScorerWatch(tables, views, policy, tally) if settings.fit_weights else None
    app.wiring = Wiring(
        topic_prefix=settings.topic_prefix,
        default_tier=tables.tiers.names[0],
        tables=tables,
        views=views,
        publisher=publisher,
        dead_letters=DeadLetters(publisher),
        positions=app.positions,
        shell=(Shell if parts is None else parts.shell)(app, tally),
        tally=tally,
        announcer=Announcer(tier_changes.deliver_all),
        dismissed=DismissalReader(tables, max_age_s=settings.cache_age_s),
        basket_moves=BasketMoves(tables.acceptance, tally, worker),
        scorer_watch=watch,
    )
    _let_go_of_answers(app, publisher)
    for agent in AGENTS:
        agent.register(app, app.wiring)
    orders.register(app, app.wiring, answered=settings.answer_orders)
    _keep_up(app, tier_changes, settings.expiry_interval_s)
    _keep_policy(app, settings)
    if settings.fit_weights:
        _fit(app, worker)
    _watch_over(app, settings)
    return app


def _let_go_of_answers(app: BasketApp, publisher: Publisher) -> None:
    """What was not confirmed before a rebalance is not offered after it: whoever has the partition makes it again."""

    @app.on_partitions_assigned.connect
    async def let_go(*_: object, **__: object) -> None:
        await publisher.let_go()


def _positions(
    app: faust.App, tables: Tables, settings: Settings, tally: Tally, bounds: Offsets | None
) -> TablePositions:
    """What the tables are made of is fenced."""

    async def earliest(tps: Set[TP]) -> dict[TP, int]:
        return dict(await app.consumer.earliest_offsets(*tps))

    async def ends(tps: Set[TP]) -> dict[TP, int]:
        # Not Faust's `highwaters`: what the embedded broker says to those is too small, and after a crash the
        # tables would seem to be ahead of the log.
        return {
            TP(topic, partition): end
            for topic in sorted({tp.topic for tp in tps})
            for partition, end in (await end_offsets(settings.broker, topic)).items()
        }

    fenced = {
        settings.topic_prefix + topics.ORDER_PLACED: Source(),
        settings.topic_prefix + topics.ORDER_RETURNED: Source(),
        settings.topic_prefix + topics.PRODUCT_UPDATED: Source(every_record=False),
        settings.topic_prefix + topics.CUSTOMER_UPDATED: Source(every_record=False),
        settings.topic_prefix + topics.CUSTOMER_ERASED: Source(),
        settings.topic_prefix + topics.SUGGESTION_FEEDBACK: Source(),
    }
    gaps = Gaps(tally, settings.topic_prefix, settings.on_gap)
    if bounds is not None:
        return TablePositions(tables, fenced, bounds, bounds, bounds, gaps, tally)
    return TablePositions(tables, fenced, earliest, ends, ends, gaps, tally)


def _watch_over(app: BasketApp, settings: Settings) -> None:
    def sights() -> dict[TP, Sight]:
        attempts = app.wiring.shell.attempts
        consumer = cast(Consumer, app.consumer)
        number = consumer.assignment_number
        return {tp: Sight(*delivery, attempts[tp], number) for tp, delivery in consumer.deliveries().items()}

    app.watchdog = Watchdog(
        sights,
        partial(end_offsets, settings.broker),
        lambda tp, offset: has_record(settings.broker, tp.topic, tp.partition, offset),
        stuck_after_s=settings.stuck_after_s,
    )
    app.loop_watch = LoopWatch(stuck_after_s=settings.stuck_after_s)


def _keep_up(app: BasketApp, tier_changes: TierChanges, interval_s: float) -> None:
    """Announcements and upkeep beside the agents; whatever ends them ends the worker."""
    upkeep = app.upkeep = Upkeep(app.wiring, tier_changes)

    @app.timer(interval=interval_s)  # type: ignore[untyped-decorator]
    async def keep_up() -> None:
        await _or_stop(app, upkeep.round())

    @app.timer(interval=MOVES_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def tell_moves() -> None:
        await _or_stop(app, app.wiring.basket_moves.tell(time.time_ns() // 1_000_000))

    @app.task  # type: ignore[untyped-decorator]
    async def announce() -> None:
        await _or_stop(app, app.wiring.announcer.run())


def _keep_policy(app: BasketApp, settings: Settings) -> None:
    """The policy of the file, if there is one: now, and whenever it changes."""
    if not settings.policy_file:
        return
    views, tally = app.wiring.views, app.wiring.tally
    watch = PolicyWatch(Path(settings.policy_file), views.use, tally, max_offers=settings.max_offers)
    views.use(watch.first())

    @app.timer(interval=POLICY_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def look_at_policy() -> None:
        watch.look()


def _fit(app: BasketApp, worker: str) -> None:
    """Precision weights follow the counts, beside the agents."""
    wiring = app.wiring
    views = wiring.views
    fitter = app.fitter = NeighbourFitter(
        wiring.tables, views.noted, wiring.tally, worker, lambda: views.wanted
    )

    @app.task  # type: ignore[untyped-decorator]
    async def fit() -> None:
        await _or_stop(app, fitter.run(lambda: time.time_ns() // 1_000_000))


async def _or_stop(app: BasketApp, work: Awaitable[None]) -> None:
    assignment = cast(Consumer, app.consumer).assignment_number
    try:
        await work
    except StateLost as exc:
        await app.take_again(assignment, exc)
    except Exception as exc:  # noqa: BLE001  whatever it is, the worker must not go on
        logger.critical("work beside the agents cannot go on; the worker stops")
        await app.crash(exc)
