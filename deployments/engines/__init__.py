"""Servers that a set-up of several machines stands on, started here as processes: PostgreSQL, Redis, and Ceph's S3 gateway."""
