"""A thread that ends the process when the event loop does not answer, since no task of the loop could."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time

from stream.ops.watchdog import interval_s
from stream.worker import EXIT_STUCK

logger = logging.getLogger(__name__)


class LoopWatch:
    """Asks the loop every few seconds, and ends the process when no answer came for `stuck_after_s`."""

    def __init__(self, *, stuck_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self._interval_s = interval_s(stuck_after_s)
        self._answered = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._watch, args=[loop], name="loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        silent_s, asked_s = 0.0, time.monotonic()
        self._answered.set()
        while not self._ended.is_set():
            if self._answered.is_set():
                silent_s = 0.0
                self._answered.clear()
                try:
                    loop.call_soon_threadsafe(self._answered.set)
                except RuntimeError:
                    return  # the loop has ended
            self._ended.wait(self._interval_s)
            now_s = time.monotonic()
            silent_s += min(now_s - asked_s, 2 * self._interval_s)
            asked_s = now_s
            if silent_s >= self._stuck_after_s and not self._answered.is_set():
                logger.critical("The event loop did not answer for %.0f s: the worker ends", silent_s)
                end_process()


def end_process() -> None:
    """End the process without waiting for anything, and say what its threads were doing."""
    faulthandler.dump_traceback(sys.stderr)
    logging.shutdown()
    os._exit(EXIT_STUCK)


def end_soon(grace_s: float) -> None:
    """End the process unless it has ended by itself in `grace_s`."""
    timer = threading.Timer(grace_s, end_process)
    timer.daemon = True
    timer.start()
