"""Looks after the policy file: a changed one comes into force without a restart, a broken one does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from stream.decisions.policy import Policy
from stream.errors import OperatorError
from stream.ops.tally import Tally
from stream.policy_file import parse_policy, policy_text

logger = logging.getLogger(__name__)


class PolicyWatch:
    """`use` is told of every new policy. `given` stands in for what the file leaves out."""

    def __init__(self, path: Path, use: Callable[[Policy], None], tally: Tally, **given: object) -> None:
        self._path, self._use, self._tally, self._given = path, use, tally, given
        self._seen: str | None = None
        self._told = ""

    def first(self) -> Policy:
        """The policy to start with. Raises OperatorError when the file is no policy."""
        policy = self._parsed(policy_text(self._path))
        logger.info("policy %s of %s is in force", policy.version, self._path)
        return policy

    def look(self) -> None:
        """Take over the file if it changed; what is wrong with it is logged once and counted."""
        try:
            text = policy_text(self._path)
            if text == self._seen:
                return
            policy = self._parsed(text)
        except OperatorError as exc:
            if str(exc) != self._told:
                self._told = str(exc)
                logger.error("the policy stays as it was. %s", exc)
                self._tally.add("policy.refused", 1)
            return
        self._use(policy)
        self._tally.add("policy.changed", 1)
        logger.info("policy %s of %s is in force", policy.version, self._path)

    def _parsed(self, text: str) -> Policy:
        self._seen = text
        return parse_policy(text, str(self._path), **self._given)
