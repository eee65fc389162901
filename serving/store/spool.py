"""Records that wait on disk until the database answers again.

One file per process, ``<uuid>.jsonl``, held by an advisory lock (``flock``); files of dead processes are
adopted. A line counts once it is synced; a line that a crash cut off was never acknowledged and is skipped.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from serving.store.records import Row, from_line, to_line


class Spool:
    """The waiting records of this process.

    Args:
        folder: made if missing; readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._waiting: dict[str, Row] = {}
        self._owned: list[tuple[Path, IO[bytes]]] = []
        self.adopt()

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, case_id: str) -> Row | None:
        """The waiting record of a case, if there is one."""
        return self._waiting.get(case_id)

    def append(self, rows: Sequence[Row]) -> None:
        """Put records on disk; returns once they are synced.

        Raises:
            OSError: the disk is full or gone; none of the records counts.
        """
        data = b"\n" + b"".join(to_line(row).encode() + b"\n" for row in rows)
        with self._lock:
            file = self._file or self._open()
            begin = file.seek(0, os.SEEK_END)
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(begin)
                raise
            for row in rows:
                self._waiting.setdefault(row["id"], row)

    def adopt(self) -> None:
        """Take over the files of processes that have died."""
        owned = {path for path, _ in self._owned}
        for path in sorted(self._folder.glob("*.jsonl")):
            if path in owned:
                continue
            file = path.open("r+b", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            self._owned.append((path, file))
            for line in path.read_bytes().split(b"\n"):
                with contextlib.suppress(ValueError, KeyError):
                    row = from_line(line.decode())
                    self._waiting.setdefault(row["id"], row)

    def waiting(self, limit: int) -> list[Row]:
        """The first records that wait."""
        with self._lock:
            return [row for row, _ in zip(self._waiting.values(), range(limit), strict=False)]

    def done(self, rows: Sequence[Row]) -> None:
        """Forget records that are stored; when none is left the files go."""
        with self._lock:
            for row in rows:
                self._waiting.pop(row["id"], None)
            if not self._waiting:
                for path, file in self._owned:
                    path.unlink(missing_ok=True)
                    file.close()
                self._owned, self._file = [], None

    def reject(self, row: Row) -> None:
        """Set aside a record that the database will never take, in ``rejected.txt``, for a person to look at."""
        with (self._folder / "rejected.txt").open("a", encoding="utf-8") as file:
            file.write(to_line(row) + "\n")
        self.done([row])

    def _open(self) -> IO[bytes]:
        path = self._folder / f"{uuid.uuid4().hex}.jsonl"
        file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b", buffering=0)  # noqa: PTH123, SIM115
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._owned.append((path, file))
        self._file = file
        return file
