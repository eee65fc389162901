"""A real ``bentoml serve`` process on a free port, with its log: for benchmarks and tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running service.

    Args:
        folder: its data and its log.
        service: what ``bentoml serve`` takes.
        host: address to listen on.
        settings: as in ``serving.settings.Settings``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        service: str = "serving.service:Fenban",
        host: str = "127.0.0.1",
        wait: bool = True,
        **settings: object,
    ) -> None:
        self.folder, self.host, self.service = folder, host, service
        self.port = free_port()
        self.log = folder / "log"
        self.env = {
            **os.environ,
            "BENTOML_HOME": str(folder),
            "BENTOML_DO_NOT_TRACK": "True",
            "FENBAN_DATA": str(folder / "data"),
            **{f"FENBAN_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        """Start, or start again after ``kill``."""
        arguments = ["bentoml", "serve", self.service, "--host", self.host, "--port", str(self.port)]
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=ROOT,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Raises after a minute, with the end of the log."""
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(self.text()[-3000:])

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def post(self, path: str, **kwargs: object) -> httpx.Response:
        """POST to the server."""
        return self.client.post(path, **kwargs)  # type: ignore[arg-type]

    def kill(self) -> None:
        """``kill -9`` of all processes of the service; its workers have process groups of their own."""
        parent = psutil.Process(self.process.pid)
        parent.suspend()  # it would start workers again
        family = [parent, *parent.children(recursive=True)]
        for process in family:
            process.kill()
        self.process.wait(10)
        psutil.wait_procs(family, 10)

    def worker(self) -> psutil.Process:
        """The process that answers requests."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return max(children, key=lambda child: child.memory_info().rss)

    def stop(self) -> None:
        """SIGTERM and wait, as an orchestrator does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            finally:
                if self.process.poll() is None:
                    self.kill()
