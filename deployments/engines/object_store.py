"""A real S3 server on this machine: Ceph's RADOS Gateway with its monitor and one store.

Debian: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common. Everything is in memory by default, listens on
127.0.0.1 only, and is gone when the server ends. Run as a program with two free ports, it serves until it is ended.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from uuid import uuid4

import botocore.session
import httpx

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
ACCESS_KEY, SECRET_KEY = "genmedia", "genmedia-local-only"
"""Of a server that only this machine can reach."""

READY_SECONDS = 60.0

_SETTINGS = """
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 1000
osd_crush_chooseleaf_type = 0
run_dir = {folder}/run
admin_socket = {folder}/run/$cluster-$name.$pid.asok
log_file = {folder}/log/$name.log
pid_file = {folder}/run/$name.pid
[mon]
mon_data = {folder}/mon.$id
mon_cluster_log_file = {folder}/log/cluster.log
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data_avail_crit = 1
mon_data_avail_warn = 1
[osd]
osd_data = {folder}/osd.$id
osd_objectstore = memstore
memstore_device_bytes = {capacity}
osd_max_object_name_len = 256
osd_heartbeat_interval = 1
osd_client_watch_timeout = 5
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_bucket_default_quota_max_size = {quota}
ms_mon_client_mode = crc
"""


def missing_programs() -> list[str]:
    """What is not installed of what it takes."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class ObjectStore:
    """The three daemons; used with `with`.

    Args:
        port: Of the S3 API, on 127.0.0.1.
        monitor: Another free port, of the monitor.
        capacity: Bytes it has room for, all of them in memory. Once it is full it holds every write without an answer.
        quota: Bytes a bucket may hold; more is refused. None for no limit.
        secret: Secret key of its user, whose access key is `ACCESS_KEY`.
    """

    def __init__(
        self, port: int, monitor: int, *, capacity: int = 4 * 2**30, quota: int | None = None, secret: str = SECRET_KEY
    ) -> None:
        self.port = port
        self._secret = secret
        self.url = f"http://127.0.0.1:{port}"
        self._folder = Path(tempfile.mkdtemp(prefix="genmedia-s3-"))
        self._settings = self._folder / "ceph.conf"
        self._fsid = str(uuid4())
        room = {"capacity": capacity, "quota": -1 if quota is None else quota}
        self._settings.write_text(_SETTINGS.format(fsid=self._fsid, monitor=monitor, port=port, folder=self._folder, **room))
        self._monitor = monitor
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start everything, and wait until it answers.

        Raises:
            RuntimeError: It did not become ready.
        """
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        for name in ("mon.a", "osd.0", "run", "log"):
            (self._folder / name).mkdir()
        osd, addresses = str(uuid4()), f"[v2:127.0.0.1:{self._monitor}]"
        monitors = str(self._folder / "monmap")
        self._do("monmaptool", "--create", "--clobber", "--fsid", self._fsid, "--addv", "a", addresses, monitors)
        self._do("ceph-mon", *self._with, "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", os.devnull)
        self._serve("ceph-mon", *self._with, "-i", "a", "-f")
        self._do("ceph", *self._with, "osd", "new", osd)
        self._do("ceph-osd", *self._with, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._serve("ceph-osd", *self._with, "-i", "0", "-f")
        user = ("user", "create", "--uid=genmedia", "--display-name=genmedia")
        keys = (f"--access-key={ACCESS_KEY}", f"--secret={self._secret}")
        self._do("radosgw-admin", *self._with, "-n", "client.rgw", *user, *keys)
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start the part that speaks S3, also again after it was killed; what is stored is kept."""
        self.gateway = self._serve("radosgw", *self._with, "-n", "client.rgw", "-f")
        end = monotonic() + READY_SECONDS
        while monotonic() < end and self.gateway.poll() is None:
            try:
                httpx.get(self.url, timeout=2)
            except httpx.HTTPError:
                sleep(0.05)
            else:
                return
        raise RuntimeError(f"radosgw did not start; see {self._folder / 'log'}")

    def __exit__(self, *_: object) -> None:
        """End everything, the monitor last: the store would wait for it."""
        for daemon in reversed(self._running):
            if daemon.poll() is None:
                daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _with(self) -> Sequence[str]:
        return ("-c", str(self._settings))

    def _do(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, timeout=READY_SECONDS, check=False)  # noqa: S603 # Ceph's own programs
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[-500:]}")

    def _serve(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log" / f"{command[0]}.out").open("ab") as log:
            daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 # as above
        self._running.append(daemon)
        return daemon


def make_bucket(url: str, name: str, secret: str = SECRET_KEY) -> None:
    """A bucket on this machine's server; one that is there stays as it is."""
    session: Any = botocore.session.get_session()
    client = session.create_client("s3", "default", endpoint_url=url, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=secret)
    client.create_bucket(Bucket=name)
    client.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ObjectStore(*map(int, sys.argv[1:])), suppress(KeyboardInterrupt):
        signal.pause()
