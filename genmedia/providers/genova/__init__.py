"""Genova: pictures and videos."""
