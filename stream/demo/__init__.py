"""The demo: real orders through Kafka, a worker and Redis, with a live view and a proof at the end.

| module | what it does |
|---|---|
| `options` | what the demo was asked to do |
| `stage` | broker, Redis, topics and the names of this run |
| `keeper` | the process that keeps broker and Redis for `--keep` |
| `supervised_worker` | the worker as a process of its own, started again when it dies |
| `tills` | orders as tills send them: baskets line by line, then the order |
| `outbox` | what waits to be published |
| `answers` | suggestions as they come back: latency, offers, hits |
| `hit_rate` | which added lines had been suggested |
| `at_rest` | when everything sent is counted; how many dead letters there are |
| `view` | the live view |
| `summary` | the result, for people and for scripts |
| `run` | all of it in order |
"""
