"""Installs the package from its folder, beside genmedia: for this process by `sys.path`, for those that tests start by `PYTHONPATH`."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
WHERE = f"INSTALLED_{PACKAGE.name.upper().replace('-', '_')}"
"""Environment variable with the folder of the installed package, for the other workers of this run, which need not install it again."""


def install(folder: str) -> None:
    """Install the package into a folder with pip; what it depends on is installed already."""
    pip = ["uv", "pip", "install", "--python", sys.executable] if shutil.which("uv") else [sys.executable, "-m", "pip", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-build-isolation", "--target", folder, PACKAGE], check=True)


if WHERE not in os.environ:
    os.environ[WHERE] = tempfile.mkdtemp(prefix="genmedia-installed-")
    atexit.register(shutil.rmtree, os.environ[WHERE])
    install(os.environ[WHERE])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ[WHERE], os.environ.get("PYTHONPATH"))))
sys.path.insert(0, os.environ[WHERE])

from tests.conftest import *  # noqa: E402, F403 # the fixtures of all tests; genmedia looks once for what is installed
