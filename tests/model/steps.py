"""The steps of the protocol that can be left out, to see what each of them is for."""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """Each value says what the protocol does; left out, it does not."""

    FENCE = "a tag applies a record once: what is not behind its fence is refused"
    STRADDLE = "a batch that begins before the fence and ends behind it is cut, not applied whole"
    CLAIM = "an order id is claimed before it is counted"
    POSITION = "a claim knows the record it was made for"
    LOGGED_COUNTS = "a record that was logged once counts, whoever holds its order's claim by now"
    EPOCH = "a write carries its owner's epoch"
    EPOCH_FIRST = "a new owner raises a tag's epoch before it reads the tag's fence"
    SERVER_LIFE = "an owner that meets a node in another life than the one it relied on begins again"
    CHECKED_ROUND = "a round of expiry begins by asking every tag for its epoch"
    LOWEST_FENCE = "a new owner begins behind the lowest fence of all tags"
    MOVE_FENCE = "every tag's fence is moved up before a commit"
    COMMIT_LAST = "a commit names only what is in the tables"
    WATERMARK_LAST = "the watermark rises once a batch is in the tables, not when it is judged"
    EXPIRY_FENCE = "taking a pane away has a fence of its own"
    HANDLED_ONLY = "expiry takes away only orders of batches that are wholly in the tables"
    OWN_WATERMARK = "a pane is dropped only when its own partition has come past it"
    KEEP_ORDERS = "an expired pane's orders are kept until its expiry is durable in every tag"
    KEEP_FENCES = "an expiry fence is kept until the dropping of its orders is durable in every tag"
    READ_PAST = "an expiry fence is forgotten only by an owner that has read past it"
    ALL_OR_NOTHING = "a write that is refused for want of memory leaves the fence where it was"
