"""Pictures that a person uploads into a store, to be named as inputs: `store:uploads/NAME`."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import PurePosixPath

from genmedia import __version__
from genmedia.errors import Fault, InputError, MediaError
from genmedia.forms.names import as_name
from genmedia.media.facts import SUFFIXES, Candidate, SmallCopy
from genmedia.media.probe import inspect_files
from genmedia.store import FIELDS, Store
from genmedia.store.files import explain
from genmedia.store.sidecar import UPLOAD, VERSION, Cost, File, Output, Sidecar, Times

LARGEST_BYTES = 100 * 10**6
"""Largest picture that is accepted, in bytes; the store's own bound holds as well."""

_TEMPLATE = "uploads/{output}.{ext}"


async def take_in(store: Store, name: str, content: AsyncIterator[bytes]) -> str:
    """Put a picture into the store, with a sidecar that says that a person uploaded it; no file is overwritten.

    Args:
        store: The store.
        name: Name of the person's file, perhaps with folders before it.
        content: Its bytes.

    Returns:
        Its path below the root, `uploads/NAME`: the same for the same picture under the same name, however often it is uploaded.

    Raises:
        InputError: It is too large, or no picture that can be used.
        StoreError: The store refused.
    """
    name = PurePosixPath(name.replace("\\", "/")).name
    most, size, digest = min(LARGEST_BYTES, store.max_bytes), 0, hashlib.sha256()
    with store.incoming() as incoming:
        try:
            with incoming.path.open("wb") as file:
                async for piece in content:
                    size += len(piece)
                    if size > most:
                        raise InputError([Fault(name, f"is longer than {most / 10**6:g} MB")])
                    digest.update(piece)
                    file.write(piece)
        except OSError as error:
            raise explain(f"{store.label} took no more", error) from None
        (facts,) = await inspect_files([Candidate(incoming.path, "image", SmallCopy(incoming.thumbnail))])
        if isinstance(facts, MediaError):
            raise InputError([Fault(name, f"cannot be used: {facts.what}")])
        sha256 = digest.hexdigest()
        sidecar = Sidecar(
            genmedia=__version__,
            sidecar=VERSION,
            campaign="uploads",
            step=PurePosixPath(name).stem,
            labels={},
            provider=UPLOAD,
            account=f"{UPLOAD}||",
            operation=UPLOAD,
            remote_id="",
            submission_key=hashlib.sha256(json.dumps([UPLOAD, name, sha256], allow_nan=False).encode()).hexdigest(),
            attempt=1,
            take=1,
            request={},
            inputs=(),
            cost=Cost(),
            times=Times(stored=datetime.now(UTC)),
            output=Output(id=name, kind="image", number=1, of=1),
            file=File(sha256=sha256, bytes=size, **facts.facts()),
            warnings=facts.warnings,
        )
        stem = as_name(PurePosixPath(name).stem) or "picture"
        names = dict.fromkeys(FIELDS, "") | {"output": stem, "ext": SUFFIXES[facts.media_type]}
        return (await store.publish(incoming, names, sidecar, _TEMPLATE)).file.path
