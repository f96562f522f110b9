"""A process that has the product imported and becomes a worker by forking: starting one costs no imports.

`make faults ARGS=--forked` has all workers made so. Each of them is a process of its own from the fork on, with its own
environment, log and signals, and runs the command line as `python -m stream worker` does; what is saved is the second
of processor time that the imports take. Requests and answers go over a socket, one at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
MOST_BYTES = 1 << 17
ANSWER_S = 120.0
"""Longest wait for an answer, seconds: a fork on a busy machine."""


class ForkedProcess:
    """A worker made by the nursery, as `asyncio.subprocess.Process` shows its own."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery, self._handle = nursery, os.pidfd_open(pid)
        self._returncode: int | None = None

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self._returncode is None and select.select([self._handle], [], [], 0)[0]:
            self._returncode = self._nursery.ask({"wait": self.pid})
            os.close(self._handle)
        return self._returncode

    def send_signal(self, sent: signal.Signals) -> None:
        """Nothing happens when it has ended."""
        if self.returncode is None:
            signal.pidfd_send_signal(self._handle, sent)

    async def wait(self) -> int:
        """Wait until it ends; its exit code."""
        while (code := self.returncode) is None:
            # One of our own: the loop keeps one reader for each descriptor, and several may wait.
            handle, loop, ended = os.dup(self._handle), asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(handle, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(handle)
                os.close(handle)
        return code


class Nursery:
    """Our end of the socket. A context manager; all its workers end with it."""

    def __enter__(self) -> Self:
        self._one_at_a_time = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(ANSWER_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()]
            )
        return self

    def __exit__(self, *raised: object) -> None:
        self._socket.close()
        self._process.wait(ANSWER_S)

    def start(self, program: str, environ: Mapping[str, str], log: Path) -> ForkedProcess:
        """A worker of this program, with `environ` added to our environment and its stderr in `log`."""
        with log.open("wb") as output:
            asked = {"start": program, "environ": {**os.environ, **environ}}
            return ForkedProcess(self, self.ask(asked, output.fileno()))

    def ask(self, request: Mapping[str, Any], *descriptors: int) -> int:
        """The answer to one request; raises TimeoutError, ConnectionError when the nursery is gone."""
        with self._one_at_a_time:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            answer = self._socket.recv(MOST_BYTES)
        if not answer:
            raise ConnectionError("the nursery has ended")
        return int(json.loads(answer))


def serve(ours: socket.socket) -> str:
    """Answer requests. Returns in a worker that was just forked, with the program it is to be."""
    children: set[int] = set()
    while True:
        request, descriptors, _, _ = socket.recv_fds(ours, MOST_BYTES, 1)
        if not request:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            sys.exit(0)
        asked = json.loads(request)
        if "wait" in asked:
            children.remove(asked["wait"])
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                ours.close()
                os.dup2(descriptors[0], 2)
                os.closerange(3, os.sysconf("SC_OPEN_MAX"))
                os.environ.clear()
                os.environ.update(asked["environ"])
                return str(asked["start"])
            children.add(answer)
            os.close(descriptors[0])
        ours.send(json.dumps(answer).encode())


def grow_up(descriptor: int) -> None:
    """Serve; in a worker, run its command line."""
    from stream.cli import main
    from tests.faults import failing_worker

    program = serve(socket.socket(fileno=descriptor))
    sys.argv = ["basketstream", "worker"]
    if program == failing_worker.__name__:
        failing_worker.switch()
    main()


if __name__ == "__main__":
    grow_up(int(sys.argv[1]))
