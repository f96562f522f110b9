"""Which partition a key belongs to: Kafka's default, so that every client puts a key in the same one."""

from __future__ import annotations

import struct

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """The 32-bit hash by which Kafka's Java producer places keys.

    >>> murmur2(b"21") - 2**32
    -973932308
    """
    words, rest = divmod(len(data), 4)
    value = 0x9747B28C ^ len(data)
    for word in struct.unpack_from(f"<{words}I", data):
        word = (word * _M) & _MASK
        word = ((word ^ (word >> 24)) * _M) & _MASK
        value = ((value * _M) & _MASK) ^ word
    if rest:
        value ^= int.from_bytes(data[-rest:], "little")
        value = (value * _M) & _MASK
    value = ((value ^ (value >> 13)) * _M) & _MASK
    return value ^ (value >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, the same that Java, Kafka Streams and aiokafka producers choose."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
