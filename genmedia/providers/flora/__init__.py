"""FLORA: techniques that chain."""
