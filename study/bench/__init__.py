"""Bench: how fast this package trains and predicts, beside peers; contestants take turns, each in its own process."""

#: What can be measured, in the order in which it is.
PARTS = ("peak", "models", "tricks", "grid")
