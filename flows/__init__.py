"""Flows: the order and the parameters of work in several steps."""
