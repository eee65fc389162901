"""A PostgreSQL server on a temporary folder, from the installed Debian packages; never run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from eval.service_process import free_port


def find_postgres() -> Path | None:
    """Folder of ``initdb`` and ``postgres``, newest version first."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    return folders[-1] if folders else Path(found).parent if found else None


class Postgres:
    """A running server; fsync is on, since durability is what is tested."""

    def __init__(self) -> None:
        self.bin = find_postgres() or Path()
        self.folder = Path(tempfile.mkdtemp(prefix="fenban-pg-"))
        self.port = free_port()
        self._count = 0
        self._user: dict[str, int] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            self._user = {"user": account.pw_uid, "group": account.pw_gid}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", "data", "-U", "fenban", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start, or start again after ``kill``."""
        command = [str(self.bin / "postgres"), "-D", "data", "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._user)  # type: ignore[call-overload]
        for _ in range(200):
            ready = subprocess.run(
                [self.bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)], capture_output=True, check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def new_database(self) -> str:
        """URL of an empty database."""
        self._count += 1
        name = f"fenban{self._count}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "fenban", name)
        return f"postgresql+psycopg://fenban@127.0.0.1:{self.port}/{name}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server, as SIGSTOP for a hanging one."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        for pid in [self.process.pid, *map(int, children.stdout.split())]:
            os.kill(pid, number)

    def stop(self) -> None:
        """Stop at once, as in a crash of the database host."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    def close(self) -> None:
        """Stop and remove everything."""
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *args: str) -> None:
        subprocess.run([self.bin / program, *args], cwd=self.folder, check=True, capture_output=True, **self._user)  # type: ignore[call-overload]
