"""Measure the service over real HTTP, client and server on the same machine, storing on.

    python -m eval.bench_service                       # on the demo letters
    python -m eval.bench_service --letters FILE.jsonl   # keys title, body

Prints: cold start, latency at fixed rates (open loop: a slow answer does not slow the sender), the batch endpoint,
resident memory (parent and worker) while 10,000 letters pass, and the throughput of a plain BentoML service around a
transformers pipeline with a 12-layer BERT (``eval/peer_service.py``) in the same run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Annotated

import aiohttp
import psutil
import typer

from eval.peer_service import LETTERS
from eval.service_process import Server

BATCH = 256
Send = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


def read_letters(path: Path) -> list[dict[str, str]]:
    """Title and body of every letter."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [{"title": row.get("title") or "", "body": row["body"]} for row in rows if row.get("body")]


def sender(letters: list[dict[str, str]], path: str = "/v1/triage") -> Send:
    """Sends letter number ``i``, always as a new case, and sees that it was stored."""
    numbers = count()

    async def send(session: aiohttp.ClientSession, i: int) -> None:
        letter = letters[i % len(letters)]
        if path == "/classify":
            async with session.post(path, json={"text": f"{letter['title']}\n{letter['body']}"}) as answer:
                answer.raise_for_status()
                await answer.read()
            return
        async with session.post(path, json={**letter, "id": f"b{time.time_ns()}-{next(numbers)}"}) as answer:
            answer.raise_for_status()
            if not (await answer.json())["stored"]:
                raise RuntimeError("an answer was not stored")

    return send


async def open_loop(url: str, send: Send, *, rate: float, seconds: float) -> list[float]:
    """Latencies in seconds, measured from the moment a request was due."""
    latencies: list[float] = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        begin = time.perf_counter() + 0.1

        async def one(i: int) -> None:
            due = begin + i / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await send(session, i)
            latencies.append(time.perf_counter() - due)

        await asyncio.gather(*(one(i) for i in range(int(rate * seconds))))
    return latencies


async def closed_loop(url: str, send: Send, *, clients: int, seconds: float) -> float:
    """Requests a second with every client sending its next letter after an answer."""
    done = 0
    async with aiohttp.ClientSession(url) as session:
        end = time.perf_counter() + seconds
        began = time.perf_counter()
        numbers = count()

        async def one() -> None:
            nonlocal done
            while time.perf_counter() < end:
                await send(session, next(numbers))
                done += 1

        await asyncio.gather(*(one() for _ in range(clients)))
        return done / (time.perf_counter() - began)


async def send_batches(url: str, letters: list[dict[str, str]], n_letters: int) -> float:
    """Letters a second through the batch endpoint, one request at a time."""
    async with aiohttp.ClientSession(url) as session:
        began = time.perf_counter()
        for start in range(0, n_letters, BATCH):
            chosen = [letters[(start + i) % len(letters)] for i in range(min(BATCH, n_letters - start))]
            body = {"letters": [{**letter, "id": f"c{time.time_ns()}-{i}"} for i, letter in enumerate(chosen)]}
            async with session.post("/v1/triage/batch", json=body) as answer:
                answer.raise_for_status()
                if not all(suggestion["stored"] for suggestion in (await answer.json())["suggestions"]):
                    raise RuntimeError("a batch was not stored")
        return n_letters / (time.perf_counter() - began)


def resident_mb(server: Server) -> float:
    """Resident memory of all processes of the service, pages that they share counted once for each."""
    parent = psutil.Process(server.process.pid)
    return float(sum(process.memory_info().rss for process in [parent, *parent.children(recursive=True)])) / 1e6


def say_latency(name: str, latencies: list[float]) -> None:
    """One line: p50, p95, p99, worst."""
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    p50, p95, p99 = (cuts[p - 1] * 1000 for p in (50, 95, 99))
    print(f"{name:<34} p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  worst {max(latencies) * 1000:.1f} ms", flush=True)


def main(
    letters: Annotated[Path, typer.Option(help="JSON lines with title and body")] = LETTERS,
    seconds: Annotated[float, typer.Option(help="of each latency measurement")] = 20.0,
    n_letters: Annotated[int, typer.Option(help="letters for the memory measurement")] = 10_000,
    peer: Annotated[bool, typer.Option(help="measure the peer as well")] = True,
) -> None:
    """Run every measurement."""
    texts = read_letters(letters)
    mean = statistics.mean(len(letter["body"]) for letter in texts)
    print(f"{len(texts)} letters, mean body {mean:.0f} characters")
    with tempfile.TemporaryDirectory(prefix="fenban-bench-") as folder:
        began = time.perf_counter()
        server = Server(Path(folder))
        try:
            print(f"{'cold start to ready':<34} {time.perf_counter() - began:.1f} s, {resident_mb(server):.0f} MB")
            url, send = f"http://127.0.0.1:{server.port}", sender(texts)
            asyncio.run(open_loop(url, send, rate=20, seconds=3))
            say_latency("10 requests/s", asyncio.run(open_loop(url, send, rate=10, seconds=seconds)))
            say_latency("60 requests/s", asyncio.run(open_loop(url, send, rate=60, seconds=seconds)))
            ours = asyncio.run(closed_loop(url, send, clients=16, seconds=seconds / 2))
            print(f"{'single letters, 16 clients':<34} {ours:.0f} letters/s", flush=True)
            for share in (0.25, 0.5, 1.0):
                part = int(n_letters * (0.25 if share < 1 else 0.5))
                speed = asyncio.run(send_batches(url, texts, part))
                name = f"batch endpoint, to {n_letters * share:.0f} letters"
                print(f"{name:<34} {speed:.0f} letters/s, {resident_mb(server):.0f} MB", flush=True)
        finally:
            server.stop()
    if peer:
        theirs = _measure_peer(texts, seconds)
        print(f"{'peer, 16 clients':<34} {theirs:.2f} letters/s; ours is {ours / theirs:.0f} times that")


def _measure_peer(texts: list[dict[str, str]], seconds: float) -> float:
    with tempfile.TemporaryDirectory(prefix="fenban-peer-") as folder:
        server = Server(Path(folder), service="eval.peer_service:Peer")
        try:
            url, send = f"http://127.0.0.1:{server.port}", sender(texts, "/classify")
            asyncio.run(closed_loop(url, send, clients=1, seconds=2))
            return asyncio.run(closed_loop(url, send, clients=16, seconds=seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    typer.run(main)
