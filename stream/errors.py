"""Errors, typed by what has to be done about them.

| error | who acts | what happens |
|---|---|---|
| `PoisonEvent` | the producer of the record | dead letter, go on |
| `StateUnavailable` | nobody yet | the worker waits and tries again |
| `Superseded` | nobody | another worker owns the partition; drop the batch unacknowledged |
| `StateLost` | nobody | Redis lost something: the worker takes its partitions again, and replays it |
| `WorkerStuck` | supervisor | the worker ends with exit code 4; a restart goes on |
| `OperatorError` | the operator | the command ends with exit code 2 and says what to do |
"""

from __future__ import annotations


class StreamError(Exception):
    """Root of every error this package raises on purpose."""


class PoisonEvent(StreamError):
    """This record can never be processed: dead-letter it and move on.

    `code` is a stable word for machines, `path` where in the record, `problem` a sentence for people.
    """

    def __init__(self, code: str, path: str, problem: str) -> None:
        super().__init__(f"{code} at {path}: {problem}")
        self.code = code
        self.path = path
        self.problem = problem


class StateUnavailable(StreamError):
    """Redis or Kafka did not answer in time: try again, never dead-letter."""


class Superseded(StreamError):
    """A newer owner of the partition has taken over; what we hold must not be written."""


class StateLost(StreamError):
    """Redis went back behind what it had acknowledged, or may have: take the partitions again to replay."""


class WorkerStuck(StreamError):
    """A partition has records and makes no progress, and neither Redis nor Kafka is away: restart."""


class OperatorError(StreamError):
    """Something only the operator can mend. `remedy` is the next thing to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n{remedy}")
        self.problem = problem
        self.remedy = remedy
