"""All benchmarks with what each answers and its command, as their modules state it.

    python -m eval.bench

Results, with date and machine, stand in docs/results.md.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_COMMAND = re.compile(r"^ *(python -m eval\.bench_(?:[^\n\\]|\\\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Benchmark:
    """A module, the first sentence of its docstring, and the first command there."""

    module: str
    question: str
    command: str


def benchmarks(folder: Path = HERE) -> list[Benchmark]:
    """The benchmarks of a folder by name; modules that state no command are parts of others."""
    found = []
    for file in sorted(folder.glob("bench_*.py")):
        told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        if command := _COMMAND.search(told):
            line = re.sub(r"\\?\s+", " ", command[1].split("  #")[0]).strip()
            found.append(Benchmark(f"eval.{file.stem}", told.split("\n\n")[0].replace("\n", " "), line))
    return found


def main() -> None:
    """Print the list."""
    for benchmark in benchmarks():
        print(f"{benchmark.question}\n    {benchmark.command}\n")


if __name__ == "__main__":
    main()
