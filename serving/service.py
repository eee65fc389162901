"""The BentoML service: its worker process, probes, metrics and build; API v1 is mounted in it.

    bentoml serve serving.service:Fenban --host 127.0.0.1 --port 3000

or ``fenban serve``, which also sees to it that nobody is let in without a key. Nothing heavy is imported here,
because BentoML imports this module in its parent process as well.
"""

from __future__ import annotations

import bentoml

from serving.api import create_api
from serving.guard import TIMEOUT_S, Guard
from serving.runtime import Runtime

runtime = Runtime()


@bentoml.asgi_app(create_api(runtime), path="/")
@bentoml.service(name="fenban", workers=1, traffic={"timeout": TIMEOUT_S + 5}, logging={"access": {"enabled": False}})
class Fenban:
    """One worker. ``serving.guard`` sees every request first, ``serving.api`` answers it."""

    def __init__(self) -> None:
        runtime.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Write what is queued."""
        runtime.close()


Fenban.add_asgi_middleware(Guard, runtime=runtime)  # type: ignore[attr-defined]
