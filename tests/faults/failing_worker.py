"""The product's command with switches that no product has: `python -m tests.faults.failing_worker worker`.

| variable | effect |
|---|---|
| `FAULTS_FAILPOINT=<step>:<before|after>:<passage>` | act there (`tests/faults/failpoints.py`) |
| `FAULTS_ACTION=exit|pause` | end on the spot (default), or stand still until SIGCONT |
| `FAULTS_TOPIC=<name>` | count passages of `ack` by batches of this topic only |
| `FAULTS_CANCEL=<seed>:<share>:<points>` | cancel a share of the attempts at batches at an await point |
| `FAULTS_LAYOUT=<number>` | be a program of another layout version |
| `FAULTS_CLOCK_S=<seconds>` | the process's clock is so far ahead, or behind where negative |
| `FAULTS_CLOCK_FILE=<file>` | the same by what the file says at each moment: the clock jumps |
| `FAULTS_SABOTAGE=fence|claim|epoch` | run with that part broken |
"""

from __future__ import annotations

import os
import time

from stream.cli import main
from stream.tables import keys
from tests.faults.cancellation import cancel_batches
from tests.faults.clock import follow_clock
from tests.faults.failpoints import Failpoint, Failpoints
from tests.faults.sabotage import sabotage


def switch() -> None:
    """Do to this process what its environment asks for."""
    if failpoint := os.environ.get("FAULTS_FAILPOINT"):
        action, topic = os.environ.get("FAULTS_ACTION", "exit"), os.environ.get("FAULTS_TOPIC", "")
        Failpoints(Failpoint.parse(failpoint), action, topic).install()
    if cancel := os.environ.get("FAULTS_CANCEL"):
        seed, share, points = cancel.split(":")
        cancel_batches(int(seed), float(share), int(points))
    if layout := os.environ.get("FAULTS_LAYOUT"):
        keys.LAYOUT_VERSION = int(layout)
    if ahead := os.environ.get("FAULTS_CLOCK_S"):
        right = time.time
        time.time = lambda: right() + int(ahead)
    if clock := os.environ.get("FAULTS_CLOCK_FILE"):
        follow_clock(clock)
    if part := os.environ.get("FAULTS_SABOTAGE"):
        sabotage(part)


if __name__ == "__main__":
    switch()
    main()
