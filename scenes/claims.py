"""Claims: which process renders a scene now, so that two audits on one store never render the same one.

A claim is a lock on one byte of the file `<root>/claims`, at a place that the scene's id gives. The system drops it
when its holder ends, however it ends, so no claim is ever stale and none leaves a file behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "claims"
_HELD = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Claims:
    """The claims of this process. Locks belong to processes: one object and one thread of a process may claim."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._file: int | None = None

    @contextmanager
    def held(self, scene_id: str) -> Iterator[bool]:
        """Whether the scene is this process's to render, until the block ends; False while another one has it.

        On a file system without locks every scene is: rendering twice is slower, and harms nothing. Raises OSError
        where the file cannot be made.
        """
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        place = int(scene_id[:12], 16)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            if error.errno in _HELD:
                yield False
                return
            if error.errno not in _NO_LOCKS:
                raise
            yield True
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
