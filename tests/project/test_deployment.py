"""The Compose file, the image, and the script that adds what a machine lacks."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.embedded.jars import KAFKA_VERSION
from stream.embedded.redis import OPTIONS
from stream.settings import Settings, load_settings
from tests import containers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_images_are_pinned_and_the_same_as_in_the_tests(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}

    assert images["kafka"] == containers.KAFKA_IMAGE == f"apache/kafka:{KAFKA_VERSION}"
    assert images["valkey"] == containers.VALKEY_IMAGE
    assert all(re.search(r":\d+\.\d+\.\d+$", image) for image in images.values())


def test_the_jars_are_of_the_version_that_is_told() -> None:
    pom = (ROOT / "stream/embedded/pom.xml").read_text()

    assert re.findall(r"kafka_2\.13</artifactId>\s*<version>([^<]+)", pom) == [KAFKA_VERSION]


def test_nothing_is_reachable_from_other_machines(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_workers_wait_for_healthy_services_and_made_topics(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert services["worker"]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "valkey": {"condition": "service_healthy"},
        "topics": {"condition": "service_completed_successfully"},
    }
    assert services["worker"]["restart"] == "unless-stopped"
    assert services["topics"]["restart"] == "no"
    assert "healthcheck" in services["kafka"]
    # The client's exit code is 0 for an error reply as well.
    assert "PONG" in services["valkey"]["healthcheck"]["test"][1]


def test_services_have_settings_that_exist(compose: dict[str, Any]) -> None:
    for name in ("topics", "worker"):
        settings = load_settings(compose["services"][name]["environment"])
        assert settings.broker == "kafka:29092"
        assert settings.redis_url != Settings().redis_url


def test_valkey_keeps_and_never_evicts_as_the_embedded_one_does(compose: dict[str, Any]) -> None:
    command = compose["services"]["valkey"]["command"]

    for name, value in OPTIONS.items():
        assert command[command.index(f"--{name}") + 1] == value


def kafka_environments() -> dict[str, dict[str, str]]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {
        "compose": compose["services"]["kafka"]["environment"],
        "tests": containers.kafka_environment("127.0.0.1", 12345),
    }


@pytest.mark.parametrize("place", ["compose", "tests"])
def test_one_kafka_node_can_work_alone(place: str) -> None:
    environment = kafka_environments()[place]
    listeners = {entry.split(":")[0] for entry in environment["KAFKA_LISTENERS"].split(",")}
    mapped = {entry.split(":")[0] for entry in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")}
    advertised = {entry.split(":")[0] for entry in environment["KAFKA_ADVERTISED_LISTENERS"].split(",")}
    ones = [value for name, value in environment.items() if name.endswith(("REPLICATION_FACTOR", "MIN_ISR"))]

    assert listeners == mapped == advertised | {environment["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised
    assert set(ones) == {"1"}
    assert len(ones) == 5
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len(base64.urlsafe_b64decode(environment["CLUSTER_ID"] + "==")) == 16


def test_a_container_advertises_the_port_that_clients_reach() -> None:
    environment = containers.kafka_environment("docker.example", 12345)

    assert "HOST://docker.example:12345" in environment["KAFKA_ADVERTISED_LISTENERS"]
    assert "HOST://0.0.0.0:12345" in environment["KAFKA_LISTENERS"]


def test_the_image_is_pinned_hashed_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11.13-slim-bookworm"] * 2
    assert "--require-hashes -r worker.txt" in text
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()


# --- scripts/system-packages: run with a PATH that holds what we put there -------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH of a bare machine, on which nobody is root."""
    for name in ("sh", "sed", "head", "dirname"):
        (tmp_path / name).symlink_to(
            Path("/bin", name) if Path("/bin", name).exists() else Path("/usr/bin", name)
        )
    add(tmp_path, "id", "echo 1000")
    return tmp_path


def add(machine: Path, name: str, script: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def system_packages(machine: Path, purpose: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/system-packages", purpose],
        env={"PATH": str(machine), "PYTHON": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_missing_is_told_to_those_who_may_not_install(machine: Path) -> None:
    told = system_packages(machine, "services")

    assert told.returncode == 0
    assert "default-jre-headless maven" in told.stderr
    assert "redis" not in told.stderr


def test_a_complete_machine_is_left_alone(machine: Path) -> None:
    add(machine, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    add(machine, "mvn", "")

    told = system_packages(machine, "services")

    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_an_old_java_does_not_count(machine: Path) -> None:
    add(machine, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    add(machine, "mvn", "")

    assert "default-jre-headless" in system_packages(machine, "services").stderr


def test_root_installs_only_what_is_missing(machine: Path) -> None:
    add(machine, "id", "echo 0")
    add(machine, "mvn", "")
    add(machine, "apt-get", f'echo "$*" >> {machine}/calls')

    system_packages(machine, "services", CI="true")

    update, install = (machine / "calls").read_text().splitlines()
    assert update == "update -qq"
    assert install.split()[-2:] == ["default-jre-headless", "redis-server"]
    assert "--no-install-recommends" in install


def test_a_given_kafka_needs_no_java(machine: Path) -> None:
    assert system_packages(machine, "services", BASKETSTREAM_TEST_KAFKA="broker:9092").stderr == ""
