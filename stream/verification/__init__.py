"""A second opinion: the tables counted again from the log, in plain Python that shares no code with them.

| module | what it does |
|---|---|
| `rules` | windows, tiers and bounds, as the settings state them |
| `recount` | the rows the tables must show after a log of orders and returns |
| `returned` | what is left of an order once lines came back |
| `tier_bounds` | which tiers a customer's history allows |
| `compare` | two sorted sequences of rows, side by side |
| `log_reader` | a topic from its beginning to where it ends now |
| `verify` | reads the logs, counts, and compares with the tables |
"""
