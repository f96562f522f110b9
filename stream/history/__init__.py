"""Order histories: what a shop sold, read from files and public data sets, and turned into events.

| module | what it holds |
|---|---|
| `files` | rows of JSON Lines and Parquet files |
| `orders` | orders, and the file format they come in |
| `catalogue` | products and their ladders, and the file format they come in |
| `money` | decimal prices and minor units |
| `events` | the events a till or a web shop would have sent |
| `datasets` | histories by name: two public ones, or a file |
| `replay` | sends a history to a broker at a stated rate |
"""
