"""Runs one worker process: start, readiness, graceful stop within a budget, exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT
from faust.worker import Worker as FaustWorker

from stream.kafka_address import KafkaAddress, read_kafka_address

logger = logging.getLogger(__name__)

#: Exit code of a worker that did not stop within its budget.
EXIT_STOP_TIMEOUT = 3
#: Exit code of a worker that the watchdog ended.
EXIT_STUCK = 4


def faust_settings(
    bootstrap: str,
    *,
    group: str,
    max_batch_records: int = 1000,
    commit_interval_s: float = 1.0,
    session_timeout_s: float = 10.0,
    rebalance_timeout_s: float = 10.0,
    heartbeat_s: float = 1.0,
    instance_id: str | None = None,
) -> dict[str, Any]:
    """Keyword arguments for `faust.App` under which the batch transport is right and starts quickly.

    `bootstrap` is an address as `kafka_address` reads it. Times are seconds.
    """
    address = read_kafka_address(bootstrap)
    # A request must outlive the longest join, which waits for the whole rebalance timeout.
    request_timeout_s = max(30.0, session_timeout_s + 1, rebalance_timeout_s + 5)
    return {
        "id": group,
        "broker": [f"basketstream://{host.strip()}" for host in address.hosts.split(",")],
        "broker_credentials": _credentials(address),
        # Faust's tables are not used; with no standbys its own assignor, which would plan them, stays out.
        "store": "memory://",
        "table_standby_replicas": 0,
        # Topics are made by `basketstream topics`; the leader topic would be one more to wait for at start.
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        # A new group reads what is there; KafkaThread refuses anything else.
        "consumer_auto_offset_reset": "earliest",
        # Static membership: a quick restart under the same name causes no rebalance.
        "consumer_group_instance_id": instance_id,
        # The size of an event: most records of one fetch over all partitions, so also of one batch.
        "broker_max_poll_records": max_batch_records,
        "broker_commit_interval": commit_interval_s,
        # Counted in batches here; commits are a matter of time alone.
        "broker_commit_every": 1_000_000,
        # Short enough that a dead worker's partitions move soon, and that a join is quick on a broker
        # that waits half of the rebalance timeout for more members.
        "broker_session_timeout": session_timeout_s,
        "broker_rebalance_timeout": rebalance_timeout_s,
        "broker_heartbeat_interval": heartbeat_s,
        "broker_request_timeout": request_timeout_s,
        # Running batches end and are committed before partitions are given away.
        "stream_wait_empty": True,
        # The transport bounds what is in flight before it fetches, so Faust's own bound is never reached:
        # a full queue would hold up the batches of all other topics too.
        "stream_buffer_maxsize": 4096,
        # No port is opened and nothing is served: Faust's server shows tables without asking who reads.
        "web_enabled": False,
        "web_tables_enabled": False,
        # Logs are set up by the command, not by Faust.
        "worker_redirect_stdouts": False,
        "autodiscover": False,
    }


def _credentials(address: KafkaAddress) -> CredentialsT | None:
    """What an address says of name, password and encryption, as Faust takes it."""
    if address.user is not None:
        return SASLCredentials(
            username=address.user,
            password=address.password,
            ssl_context=address.tls,
            mechanism=address.mechanism,
        )
    return None if address.tls is None else SSLCredentials(address.tls)


class _Worker(FaustWorker):
    """Faust's worker with our readiness line and signals."""

    def __init__(
        self,
        app: faust.App,
        *,
        stop_budget_s: float,
        on_ready: Callable[[], None] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(app, quiet=True, override_logging=False, redirect_stdouts=False, loop=loop)
        self.spinner = None
        self._announce = on_ready
        self._budget = threading.Timer(stop_budget_s, _stop_took_too_long, [stop_budget_s])
        self._budget.daemon = True

    async def on_startup_finished(self) -> None:
        """Called by Faust when the partitions are assigned and sought and records flow.

        One that was told to stop before it had begun is sent here too: nothing is ready then.
        """
        if self.app.should_stop:
            return
        assigned = self.app.consumer.assignment()
        logger.info("worker ready: group %s, %d partitions", self.app.conf.id, len(assigned))
        if self._announce is not None:
            self._announce()

    def install_signal_handlers(self) -> None:
        # Faust would also start a debugger on SIGUSR2.
        self.loop.add_signal_handler(signal.SIGINT, self._on_sigint)
        self.loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)

    def _on_sigint(self) -> None:
        self._schedule_shutdown(signal.SIGINT)

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        self._start_budget()
        super()._schedule_shutdown(signal)

    def on_worker_shutdown(self) -> None:
        """Called before a stop that no signal asked for."""
        self._start_budget()

    def _start_budget(self) -> None:
        if self._budget.ident is None:
            self._budget.start()

    def end_budget(self) -> None:
        """The stop is over."""
        self._budget.cancel()

    def _setproctitle(self, info: str, *, ident: str = "basketstream") -> None:
        """Nothing: the process keeps the name it was started under."""


def run_worker(
    app: faust.App,
    *,
    loglevel: str = "INFO",
    stop_budget_s: float = 30.0,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run the app until SIGTERM or SIGINT, or until it crashes; returns the process's exit code.

    0 after a graceful stop; whatever crashed the worker is raised. `on_ready` is called once, when
    partitions are assigned and their start positions set. A stop that takes longer than `stop_budget_s`
    ends the process with code 3: what was not finished is read again.
    """
    logging.getLogger().setLevel(loglevel)
    app.boot_strategy.enable_web = False
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = _Worker(app, stop_budget_s=stop_budget_s, on_ready=on_ready, loop=loop)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        reason = worker.crash_reason or app.crash_reason
        if reason is not None:
            raise reason from None
        return int(ended.code or 0)
    finally:
        worker.end_budget()


def _stop_took_too_long(budget_s: float) -> None:
    logger.critical("worker did not stop within %s s: ending it", budget_s)
    os._exit(EXIT_STOP_TIMEOUT)
