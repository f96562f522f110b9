"""The ledger: what shoppers bought of what was offered, reckoned from the log alone.

Per currency and channel, money in minor units:

| figure | definition |
|---|---|
| orders | orders with at least one line that was not sold after a purchase |
| average basket value | revenue of those orders' in-basket lines / orders |
| units an order | pieces on those lines / orders |
| value a unit | that revenue / those pieces |
| margin a unit | price less cost of the pieces whose cost the catalogue knows / those pieces |
| revenue after purchase | lines sold by an offer made after an order: in the revenue, never in the basket value |

A line was sold by an offer when it names the suggestion (`suggestion_id`) and the suggestion offers its SKU. What a
kind of offer adds to a figure is the figure less the same one with those lines taken back: a cross-sold line is left
out, an upsold one is the line it replaced again. That is attribution, not proof: some would have bought without the
offer. Orders are gross: returns are not taken off.
"""
