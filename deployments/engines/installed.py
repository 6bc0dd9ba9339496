"""Which of the servers can be started here."""

from deployments.engines import object_store, postgres, redis


def missing_packages() -> str:
    """Names of the Debian packages that are missing; empty where all servers can be started."""
    missing = {
        "postgresql": postgres.programs() is None,
        "redis-server": not redis.is_installed(),
        "ceph-mon ceph-osd radosgw ceph-common": bool(object_store.missing_programs()),
    }
    return " ".join(packages for packages, is_missing in missing.items() if is_missing)
