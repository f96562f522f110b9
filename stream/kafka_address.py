"""Where Kafka is, and how one shows oneself there: the one place that reads a broker's address.

| form | what it means |
|---|---|
| `HOST:PORT[,HOST:PORT]` | brokers that ask nobody's name |
| `kafka://USER:PASSWORD@HOST:PORT,HOST:PORT` | SASL without encryption |
| `kafkas://HOST:PORT,HOST:PORT` | TLS |
| `kafkas://USER:PASSWORD@HOST:PORT,HOST:PORT` | SASL over TLS |

Behind a question mark: `mechanism=PLAIN` (as it is left out), `SCRAM-SHA-256` or `SCRAM-SHA-512`; `ca=PATH`, the PEM
file of the authorities to trust in place of the system's; `cert=PATH` and `key=PATH`, PEM files with which brokers know
this client. Whatever of `@ : / ? %` stands in a name or a password is written as `%40` and so on.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from stream.errors import OperatorError

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
FILES = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """What an address says. `hosts` is `HOST:PORT[,HOST:PORT]`, which is also what people may be shown."""

    hosts: str
    user: str | None = None
    password: str | None = None
    mechanism: str = "PLAIN"
    tls: ssl.SSLContext | None = None

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of every aiokafka client."""
        options: dict[str, Any] = {"bootstrap_servers": self.hosts, "security_protocol": self._protocol()}
        if self.tls is not None:
            options["ssl_context"] = self.tls
        if self.user is not None:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options

    def _protocol(self) -> str:
        transport = "PLAINTEXT" if self.tls is None else "SSL"
        return transport if self.user is None else f"SASL_{transport}"


@lru_cache(maxsize=16)
def read_kafka_address(text: str) -> KafkaAddress:
    """What an address says; raises OperatorError when it is none of the forms above, or a file cannot be read."""
    if "://" not in text:
        return KafkaAddress(text)
    try:
        return _read(urlsplit(text))
    except (ValueError, OSError) as exc:
        # Never the text itself: it may hold a password.
        raise OperatorError(
            f"The Kafka address {text.partition('://')[0]}://... cannot be used: {exc}.",
            "Write HOST:PORT,HOST:PORT, kafka://USER:PASSWORD@HOST:PORT for SASL, or kafkas://... for TLS, with "
            "?mechanism=SCRAM-SHA-512&ca=PATH where they are needed.",
        ) from exc


def client_options(address: str) -> dict[str, Any]:
    """Keyword arguments of an aiokafka client for an address; raises OperatorError as `read_kafka_address` does."""
    return read_kafka_address(address).client_options()


def shown(address: str) -> str:
    """An address for people: the hosts alone."""
    return address.partition("?")[0].rpartition("@")[2].rpartition("://")[2].rstrip("/")


def _read(parts: SplitResult) -> KafkaAddress:
    if parts.scheme not in ("kafka", "kafkas"):
        raise ValueError(f"no such scheme: {parts.scheme}")
    options = _options(parts.query)
    account, _, hosts = parts.netloc.rpartition("@")
    if parts.scheme == "kafka" and not options.keys().isdisjoint(FILES):
        raise ValueError("ca, cert and key are for kafkas://")
    if not hosts or parts.path not in ("", "/"):
        raise ValueError("it has to name HOST:PORT[,HOST:PORT] and nothing behind them")
    user, _, password = account.partition(":")
    tls = _tls(options) if parts.scheme == "kafkas" else None
    if not account:
        if "mechanism" in options:
            raise ValueError("a mechanism needs USER:PASSWORD@ before the hosts")
        return KafkaAddress(hosts, tls=tls)
    if not user or not password:
        raise ValueError("user and password are needed together")
    return KafkaAddress(hosts, unquote(user), unquote(password), options.get("mechanism", "PLAIN"), tls)


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, strict_parsing=True)) if query else {}
    unknown = sorted(options.keys() - {"mechanism", *FILES})
    if unknown:
        raise ValueError(f"no such option: {', '.join(unknown)}")
    if options.get("mechanism", "PLAIN") not in MECHANISMS:
        raise ValueError(f"the mechanism is none of {', '.join(MECHANISMS)}")
    return options


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    """Verifies the brokers' names, against the authorities of `ca` or of the system."""
    for name in FILES:
        if name in options:
            with open(options[name], "rb"):  # which names the file, as loading it does not
                pass
    context = ssl.create_default_context(cafile=options.get("ca"))
    if ("cert" in options) != ("key" in options):
        raise ValueError("cert and key are needed together")
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])
    return context
