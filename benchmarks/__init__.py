"""Throughput and latency beside raw Kafka clients and a raw Redis, all in one run: `python -m benchmarks`.

| module | what it knows |
|---|---|
| `plan` | how many records, rounds and seconds |
| `shop` | a synthetic shop: products, baskets, orders |
| `backlog` | topics filled beforehand, and how far a group has come |
| `drain` | the rate at which a backlog was handled |
| `child` | a contestant in a process of its own |
| `raw_kafka`, `stock_faust`, `batch_transport` | contestants that measure themselves |
| `worker`, `basket_job`, `order_job` | the product's own worker, watched from outside |
| `load_till`, `load_reader`, `latency` | an open loop, from the intended time of sending to the answer read back |
| `redis_rate` | what redis-benchmark says of the same Redis |
| `rounds` | contestants take turns, so that a noisy minute hits all of them |
| `marks`, `report` | what has to be reached, and how the run is shown |

`decisions.py` is a measurement of its own: the decision core without Kafka and Redis.
"""
