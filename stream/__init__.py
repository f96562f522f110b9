"""basketstream: an event-driven streaming recommender for upselling and cross-selling."""

__version__ = "0.1.0"
