"""``fenban evaluate`` and ``fenban compare``: parse, call, print."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

STATES = {"pass": ("green", "pass"), "open": ("yellow", "open"), "fail": ("red", "FAIL")}
EXIT_FAIL, EXIT_OPEN = 2, 3

Cases = Annotated[
    list[Path], typer.Option("--cases", help="cases file of fenban import, not used in training; repeatable")
]
Limits = Annotated[Path | None, typer.Option("--promotion", help="YAML of the limits; default: eval/promotion.yaml")]
Force = Annotated[bool, typer.Option("--force", help="also on letters seen in training; the page says so")]


def register(app: typer.Typer, clear_errors: Callable[[], AbstractContextManager[None]]) -> None:
    """Add the commands to the application; ``clear_errors`` turns our errors into one line."""

    @app.command()
    def evaluate(
        bundle: Annotated[Path, typer.Argument(help="bundle folder")],
        cases: Cases,
        out: Annotated[Path, typer.Option("-o", "--out", help="folder of the report")] = Path("report"),
        costs: Annotated[Path | None, typer.Option(help="YAML: wrong_dispatch, review, …, letters_per_day")] = None,
        train: Annotated[Path | None, typer.Option(help="training cases: adds baseline and leak check")] = None,
        previous: Annotated[Path | None, typer.Option(help="bundle in service, to compare with")] = None,
        promotion: Limits = None,
        only_test: Annotated[bool, typer.Option("--only-test", help="only the bundle's recorded test split")] = False,
        reuse: Annotated[bool, typer.Option(help="take the predictions of an earlier run in OUT")] = False,
        force: Force = False,
    ) -> None:
        """Write a report on a bundle: report.html, metrics.json, predictions.parquet, errors.csv."""
        with clear_errors():
            from eval.evaluate import PAGE, Options
            from eval.evaluate import evaluate as run
            from eval.inputs import one_file
            from eval.promotion import SHIPPED

            options = Options(
                costs=costs, promotion=promotion or SHIPPED, train=train, previous=previous,
                force=force, only_test=only_test, reuse=reuse,
            )  # fmt: skip
            with one_file(cases) as letters:
                metrics = run(bundle, letters, out, options)
        _print_verdict(metrics.verdict)
        typer.echo(f"{metrics.data.letters} letters -> {out / PAGE}")

    @app.command()
    def compare(
        first: Annotated[Path, typer.Argument(help="bundle in service")],
        second: Annotated[Path, typer.Argument(help="candidate bundle")],
        cases: Cases,
        out: Annotated[Path, typer.Option("-o", "--out", help="folder of the result")] = Path("comparison"),
        promotion: Limits = None,
        force: Force = False,
    ) -> None:
        """Compare two bundles; exit code 0: SECOND may replace FIRST, 2: it must not, 3: too few letters to say."""
        with clear_errors():
            from eval.compare import PAGE
            from eval.compare import compare as run
            from eval.inputs import one_file
            from eval.promotion import SHIPPED

            with one_file(cases) as letters:
                result = run(first, second, letters, out, promotion=promotion or SHIPPED, force=force)
        _print_verdict(result.verdict)
        typer.echo(f"became right {result.became_right}, became wrong {result.became_wrong} -> {out / PAGE}")
        raise typer.Exit({"pass": 0, "fail": EXIT_FAIL, "open": EXIT_OPEN}[result.verdict.state])


def _print_verdict(verdict: object) -> None:
    from eval.schema import Verdict
    from eval.words import CHECKS, VERDICTS

    assert isinstance(verdict, Verdict)
    for check in verdict.checks:
        color, word = STATES[check.state]
        value = "-" if check.value is None else f"{check.value:.4f}"
        name = f"{CHECKS[check.code][1]}{f' ({check.head})' if check.head else ''}"
        typer.secho(f"{word:<5} {name:<62} {value:>9}  limit {check.limit:g}", fg=color)
    typer.secho(f"verdict: {VERDICTS[verdict.state][0][1]}", fg=STATES[verdict.state][0], bold=True)
