"""Algovera's API."""
