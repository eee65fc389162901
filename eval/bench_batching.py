"""Show that parallel single-letter requests are scored in batches, and how fast, over real HTTP.

    python -m eval.bench_batching --url http://127.0.0.1:3000 --clients 32 --requests 640

Start the service first. Stops by itself after ``--requests`` requests.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Annotated

import httpx
import typer


def batch_counts(metrics: str) -> tuple[float, float]:
    """Number of batches and of letters in them, from the Prometheus text."""
    found = {
        kind: sum(float(v) for v in re.findall(rf"fenban_batch_size_{kind}(?:{{[^}}]*}})? ([0-9.e+]+)", metrics))
        for kind in ("count", "sum")
    }
    return found["count"], found["sum"]


def main(
    url: Annotated[str, typer.Option(help="loopback address of a running service")] = "http://127.0.0.1:3000",
    clients: int = 32,
    requests: int = 640,
) -> None:
    """Print letters per second, latency percentiles and the mean batch size."""
    letter = {"title": "路灯不亮", "body": "双瑞一路的路灯坏了半个月，晚上看不清路，请尽快修理。" * 12}
    before = batch_counts(httpx.get(f"{url}/metrics").text)
    latencies: list[float] = []

    def work(share: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for _ in range(share):
                began = time.perf_counter()
                client.post("/v1/triage", json=letter).raise_for_status()
                latencies.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(requests // clients,)) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    count, total = (b - a for a, b in zip(before, batch_counts(httpx.get(f"{url}/metrics").text), strict=True))
    ordered = sorted(latencies)
    print(f"{len(ordered) / seconds:.0f} letters/s, p50 {ordered[len(ordered) // 2] * 1000:.0f} ms")
    print(f"{total:.0f} letters in {count:.0f} batches, mean {total / max(1, count):.1f}")


if __name__ == "__main__":
    typer.run(main)
