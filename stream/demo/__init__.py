"""The demo: real orders through Kafka, a worker and Redis, with a live view and a proof at the end.

| module | what it does |
|---|---|
| `options` | what the demo was asked to do |
| `run` | all of it in order: set up, sell, prove |
| `stage` | broker, Redis, topics and the names of this run |
| `keeper` | the process that keeps broker and Redis for `--keep` |
| `supervised_worker` | the worker as a process of its own, started again when it dies |
| `sale` | the catalogue, then all orders, until every basket is answered |
| `tills` | orders as tills send them: baskets line by line, then the order |
| `outbox` | what waits to be published |
| `suggestion_reader` | reads suggestions as a subscriber would |
| `answers` | suggestions matched with their baskets: latency, offers, hits |
| `hit_rate` | which added lines had been suggested |
| `at_rest` | when everything sent is counted; how many dead letters there are |
| `proof` | the tables against a recount of the log |
| `view`, `summary` | the live view; the result, for people and for scripts |
| `together` | one thing to be done, and others that run beside it |
"""
