"""Ports on 127.0.0.1 that nobody listens on."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import ExitStack

# Below the range from which Linux takes the ports of outgoing connections, so that none of those
# can sit on a port between our look and the server's start.
_LOWEST, _HIGHEST = 15_000, 32_000
_ATTEMPTS = 200


def free_ports(count: int) -> list[int]:
    """So many different free ports. Raises OSError when they cannot be found."""
    chosen: list[int] = []
    source = random.SystemRandom()
    with ExitStack() as held:
        for _ in range(_ATTEMPTS):
            if len(chosen) == count:
                return chosen
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            port = source.randint(_LOWEST, _HIGHEST)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken: the next number
            chosen.append(port)
    raise OSError(f"no {count} free ports between {_LOWEST} and {_HIGHEST}")


async def answers(port: int) -> bool:
    """Somebody accepts connections on 127.0.0.1:`port`."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return False
    return True
