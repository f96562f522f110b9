"""Evaluation: how well a history would have been served, by the hide-one protocol, order after order.

| module | what it holds |
|---|---|
| `numbered` | a history with its SKUs and customers by number |
| `pair_counts`, `pair_store` | the counts of the tables in memory, fast: orders a SKU, orders a pair |
| `neighbourhoods` | what lines speak for, from those counts: baseline and fitted weights |
| `ranking` | scores of one order's candidates by every scorer of the grid |
| `prequential`, `run` | the protocol: ask, then count; and one evaluation as a whole |
| `baselines` | models trained once: batch EASE, item-kNN of the library implicit |
| `figures` | hit rates, reciprocal ranks, coverage |
| `upsell_moves`, `upsell_figures` | moves within a range, ranked and calibrated |
| `report`, `plot` | table, JSON line, picture |
"""
