"""The forms of a broker's address, and what is said of one that is none of them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import OperatorError
from stream.kafka_address import client_options, read_kafka_address, shown
from stream.settings import load_settings


def test_hosts_alone_ask_for_nothing() -> None:
    assert client_options("a:9092,b:9092") == {
        "bootstrap_servers": "a:9092,b:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_a_name_and_a_password_are_decoded_and_kept_from_view() -> None:
    address = "kafka://till%40shop:p%3Aw%2Frd@a:9092,b:9092?mechanism=SCRAM-SHA-512"

    assert client_options(address) == {
        "bootstrap_servers": "a:9092,b:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "till@shop",
        "sasl_plain_password": "p:w/rd",
    }
    assert shown(address) == "a:9092,b:9092"


def test_tls_trusts_the_system_and_looks_at_the_brokers_name() -> None:
    options = client_options("kafkas://a:9092")

    assert options["security_protocol"] == "SSL"
    assert options["ssl_context"].check_hostname
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert client_options("kafkas://u:p@a:9092")["security_protocol"] == "SASL_SSL"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://a:9092", "no such scheme"),
        ("kafka://", "HOST:PORT"),
        ("kafka://a:9092/topic", "HOST:PORT"),
        ("kafka://user@a:9092", "together"),
        ("kafka://:secret@a:9092", "together"),
        ("kafka://u:secret@a:9092?mechanism=GSSAPI", "mechanism is none of"),
        ("kafka://u:secret@a:9092?mechnism=PLAIN", "no such option: mechnism"),
        ("kafka://a:9092?mechanism=PLAIN", "needs USER:PASSWORD"),
        ("kafka://a:9092?ca=ca.pem", "for kafkas://"),
        ("kafkas://u:secret@a:9092?ca=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("kafkas://u:secret@[a:9092", "cannot be used"),
    ],
)
def test_an_address_that_is_none_is_refused_with_the_reason_and_without_the_password(
    address: str, said: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        load_settings({}, broker=address)

    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("")

    with pytest.raises(OperatorError, match="cert and key are needed together"):
        read_kafka_address(f"kafkas://a:9092?cert={certificate}")


@given(st.from_regex(r"[a-z0-9.:,-]{1,40}", fullmatch=True), st.text("abc%:40", min_size=1, max_size=20))
def test_whatever_stands_before_the_hosts_is_never_shown(hosts: str, account: str) -> None:
    assert shown(f"kafkas://{account}@{hosts}?ca=x") == hosts
