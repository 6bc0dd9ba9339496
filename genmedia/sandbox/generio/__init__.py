"""Generio's API."""
