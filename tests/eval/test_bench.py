"""The list of benchmarks is whole, its commands have the options they name, and the results page keeps to it."""

import re
from pathlib import Path

from eval.bench import HERE, benchmarks

DOCS = Path(__file__).parents[2] / "docs"


def options(command: str) -> set[str]:
    return {
        word.split("=")[0].removeprefix("--").removeprefix("no-") for word in command.split() if word.startswith("--")
    }


def stated(module: str) -> str:
    return (HERE / f"{module.removeprefix('eval.')}.py").read_text(encoding="utf-8")


def defines(source: str, option: str) -> bool:
    """As a parameter that typer makes an option, or spelled out."""
    return bool(re.search(rf"\b{option.replace('-', '_')}: |\"--{option}\"", source))


def test_every_benchmark_that_can_be_run_is_listed_with_a_command() -> None:
    runnable = {f"eval.{file.stem}" for file in HERE.glob("bench_*.py") if "__main__" in file.read_text("utf-8")}
    assert {b.module for b in benchmarks()} == runnable
    for benchmark in benchmarks():
        assert benchmark.command.startswith(f"python -m {benchmark.module}")
        assert benchmark.question.endswith((".", "?"))
        assert "\\" not in benchmark.command


def test_listed_commands_and_those_of_the_docs_name_options_that_exist() -> None:
    commands = {(b.module, b.command) for b in benchmarks()}
    for page in DOCS.glob("*.md"):
        text = " ".join(page.read_text(encoding="utf-8").split())
        commands |= {
            (f"eval.{m[1]}", m[0]) for m in re.finditer(r"python -m eval\.(bench_\w+)(?:(?!python -m)[^`#])*", text)
        }
    assert len(commands) > 20
    for module, command in commands:
        missing = {option for option in options(command) if not defines(stated(module), option)}
        assert not missing, f"{command}: {module} has no {missing}"
