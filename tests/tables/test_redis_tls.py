"""`rediss` speaks TLS with every node of a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stream.errors import StateUnavailable
from stream.tables.connection import open_store
from stream.tables.keys import Keys
from tests.redis_cluster import cluster_ports, local_cluster

KEY = Keys("bs").skus(0)


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """Configuration of a server with a certificate of its own for 127.0.0.1."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", *curve, *subject, *files],
        check=True,
        capture_output=True,
    )
    return [
        f"tls-cert-file {tmp_path / 'cert.pem'}",
        f"tls-key-file {tmp_path / 'key.pem'}",
        f"tls-ca-cert-file {tmp_path / 'cert.pem'}",
        "tls-auth-clients no",
    ]


async def answer(url: str) -> object:
    """What the store at a URL holds after a write."""
    store = open_store(url, timeout_s=3.0)
    try:
        return (await store.commands([("HSET", KEY, b"f", 7), ("HGET", KEY, b"f")]))[1]
    finally:
        await store.close()


async def test_a_cluster_is_spoken_with_over_tls_and_its_certificate_is_checked(
    lines: list[str], tmp_path: Path
) -> None:
    [port] = cluster_ports(1)
    tls = [*lines, f"tls-port {port}", "tls-cluster yes"]
    async with local_cluster(primaries=1, replicas=0, lines=tls) as cluster:
        url = f"rediss+cluster://127.0.0.1:{port}"
        assert await answer(f"{url}?ssl_ca_certs={tmp_path / 'cert.pem'}") == b"7"
        assert await cluster.nodes[0].ask("HGET", KEY, "f") == "7"
        with pytest.raises(StateUnavailable, match=r"(?i)certificate"):
            await answer(url)
