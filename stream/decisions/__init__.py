"""The decision core: from baskets and what is known to offers, without I/O, clock or chance.

`decide.decide_batch` is the door. Everything it needs comes as arguments; the same arguments give the
same bytes, whatever else is in the batch. Read `model`, `views`, `decide` in this order.
"""
