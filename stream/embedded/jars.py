"""The jars of Apache Kafka, fetched once with Maven and kept in the user's cache."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from stream.embedded.process import run_program
from stream.errors import OperatorError

KAFKA_VERSION = "4.1.0"
"""As in pom.xml beside this file."""

OLDEST_JAVA = 17

_FETCH_TIMEOUT_S = 600.0
_OTHERWISE = "Or use --broker embedded, or --broker HOST:PORT."


def cache_folder() -> Path:
    """Where the jars of this version are kept, by the XDG rule."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "basketstream" / f"kafka-{KAFKA_VERSION}"


async def java_program() -> str:
    """A Java that is new enough for Apache Kafka; raises OperatorError when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    if java is None:
        raise OperatorError(
            "Apache Kafka needs Java, and there is none on PATH.",
            f"Install a Java {OLDEST_JAVA} runtime (Debian: default-jre-headless). {_OTHERWISE}",
        )
    _, text = await run_program([java, "-version"], timeout_s=30)
    version = java_version(text)
    if version < OLDEST_JAVA:
        raise OperatorError(
            f"Apache Kafka {KAFKA_VERSION} needs Java {OLDEST_JAVA}; {java} is Java {version}.",
            f"Install a newer one, or let JAVA_HOME name it. {_OTHERWISE}",
        )
    return java


def java_version(text: str) -> int:
    """The major version in what `java -version` prints; 0 when it is not there.

    >>> java_version('openjdk version "17.0.15" 2025-04-15'), java_version('java version "1.8.0_402"')
    (17, 8)
    """
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found.group(1)) if found else 0


async def kafka_jars() -> Path:
    """The folder with the jars, fetched now when it is not there yet (some seconds, about 80 MB).

    Two processes that ask at the same time fetch once. Raises OperatorError when Maven is missing or fails.
    """
    target = cache_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(target.with_suffix(target.suffix + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not target.is_dir():
            await _fetch(target)
    finally:
        os.close(lock)
    return target


async def _fetch(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise OperatorError(
            "Fetching Apache Kafka needs Maven, and there is no mvn on PATH.",
            f"Install it (Debian: maven). {_OTHERWISE}",
        )
    with (
        tempfile.TemporaryDirectory(prefix=target.name + "-", dir=target.parent) as folder,
        as_file(files("stream.embedded") / "pom.xml") as pom,
    ):
        # Maven writes beside the POM it is given, and the package's own folder may be read-only.
        shutil.copy(pom, folder)
        jars = Path(folder) / "jars"
        code, text = await run_program(
            [
                maven, "-q", "-B", "-f", f"{folder}/pom.xml",
                "dependency:copy-dependencies", f"-DoutputDirectory={jars}",
            ],
            timeout_s=_FETCH_TIMEOUT_S,
        )  # fmt: skip
        if code != 0 or not any(jars.glob("kafka_*.jar")):
            tail = "\n".join(text.splitlines()[-20:])
            raise OperatorError(
                f"Maven could not fetch Apache Kafka {KAFKA_VERSION} (exit code {code}):\n{tail}",
                f"Check the network and Maven's settings. {_OTHERWISE}",
            )
        # A folder that has its name is complete.
        jars.rename(target)
