"""A launcher that ties a program to its parent: when the parent dies, the kernel kills the program.

Runs as `python -I -S leash.py PARENT_PID PROGRAM ARGUMENT...` and becomes PROGRAM. It is a program of its
own, and not a hook between fork and exec, because Python code in that gap can deadlock a parent with threads.
The request belongs to the *thread* that started the program: start it from one that lasts (the main one).
Imports the standard library only: it runs without site packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask for SIGKILL at the parent's death, then become `command`. Linux alone knows that request."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        # The parent may have died before the request was heard.
        if os.getppid() != parent:
            sys.exit("the parent is gone already")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
