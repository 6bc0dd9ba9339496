"""FLORA's API."""
