"""The Lua scripts, and what a Redis that could not run a command means for us."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files

from redis.exceptions import AskError, RedisError, ResponseError

from stream.errors import OperatorError, StateLost, StateUnavailable, StreamError
from stream.tables.servers import AnotherLifeError
from stream.tables.store import Command, Script, ScriptName

_PRELUDES: dict[ScriptName, tuple[str, ...]] = {
    "claim": ("fence",),
    "apply": ("fence", "account"),
    "sweep": ("account",),
    "move_fence": ("fence",),
    "amend_order": ("fence",),
    "park_return": ("fence",),
    "give_up": (),
    "erase_customer": ("fence", "account"),
    "drop_if": (),
    "top_partners": (),
    "put_latest": (),
    "lease": (),
    "put_fits": (),
    "count_feedback": ("fence", "counts"),
    "add_moves": ("counts",),
    "put_dismissed": (),
    "let_go_dismissed": (),
}

_WAIT_FOR = frozenset(
    {
        *("OOM", "MISCONF", "LOADING", "BUSY", "READONLY", "NOREPLICAS"),
        *("MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOSCRIPT"),
    }
)
"""Answers that mean "not now": memory or disk full, loading, fail-over or slot migration under way,
a server so new that nobody has sent it our scripts."""

_TAKES_AWAY = re.compile(r"call\('(DEL|HDEL|SREM|ZREM|ZREMRANGEBYSCORE)'")

_INSIDE_A_SCRIPT = re.compile(r"-([A-Z]+) ")
"""The code in an error that Redis before 7 answers for a script: `ERR Error running script (...): -OOM ...`."""


@cache
def script_source(name: ScriptName) -> str:
    """The Lua text of a script with the preludes it needs."""
    folder = files("stream.tables") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in (*_PRELUDES[name], name))


@cache
def script_digest(name: ScriptName) -> str:
    """What EVALSHA knows a script by."""
    return sha1(script_source(name).encode()).hexdigest()


@cache
def may_empty_a_key(name: ScriptName) -> bool:
    """Whether a script takes anything away, and so may come back to a key that is no more."""
    return _TAKES_AWAY.search(script_source(name)) is not None


def by_digest(script: Script) -> Command:
    """The call of a script that the server has; one that has not answers NOSCRIPT and did nothing."""
    return ("EVALSHA", script_digest(script.name), len(script.keys), *script.keys, *script.args)


def by_source(script: Script) -> Command:
    """The call of a script that brings its text along, which the server then has."""
    return ("EVAL", script_source(script.name), len(script.keys), *script.keys, *script.args)


def translated(error: RedisError, where: str) -> StreamError:
    """What is to be done about an error: wait and try again, take the partitions again, or tell the operator."""
    text = str(error)
    if isinstance(error, AnotherLifeError):
        return StateLost(text)
    if not isinstance(error, ResponseError) or _codes(error) & _WAIT_FOR:
        return StateUnavailable(f"Redis at {where}: {type(error).__name__}: {text}")
    if isinstance(error, AskError):
        return OperatorError(
            f"Redis at {where} is one node of a Redis Cluster.",
            "Write redis+cluster://HOST:PORT,HOST:PORT with some of its nodes.",
        )
    return OperatorError(
        f"Redis at {where} refused a command: {text}",
        "Run `basketstream doctor`; Redis or Valkey 6.2 or later with scripting is needed.",
    )


def _codes(error: RedisError) -> set[str]:
    """The codes of an error; of those it has a class for, redis-py takes the code off the text."""
    text = str(error)
    return {error.status_code or text.partition(" ")[0], *_INSIDE_A_SCRIPT.findall(text)}
