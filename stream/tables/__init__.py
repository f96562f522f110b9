"""Redis-backed tables: exact, batched, asynchronous. Redis is the truth; Kafka's committed offset is a hint."""
