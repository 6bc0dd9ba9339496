"""Algovera: text to image."""
