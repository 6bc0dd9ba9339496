"""Flows: order and parameters of multi-step work; each yields what its name says."""
