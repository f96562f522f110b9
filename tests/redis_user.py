"""The Redis user that SECURITY.md describes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.redis_cluster import LocalCluster

SECURITY = Path(__file__).parents[1] / "SECURITY.md"


def documented_rights() -> list[str]:
    """The rights behind `ACL SETUSER` in SECURITY.md, as they stand there."""
    found = re.search(r"ACL SETUSER worker on >PASSWORD (.+)$", SECURITY.read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


async def as_worker(cluster: LocalCluster, *more: str) -> str:
    """Make that user on every node, with `more` rights if a test needs them; the cluster's URL for it."""
    for node in cluster.nodes:
        await node.ask("ACL", "SETUSER", "worker", "reset", "on", ">pa:ss@word", *documented_rights(), *more)
    return cluster.url.replace("://", "://worker:pa%3Ass%40word@")
