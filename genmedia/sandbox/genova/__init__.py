"""Genova's API."""
