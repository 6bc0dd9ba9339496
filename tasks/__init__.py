"""Prefect tasks: one for each operation of each API, thin over the library; submit and wait are two tasks."""
