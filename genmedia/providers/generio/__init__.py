"""Generio Flows: 3D models by templates."""
