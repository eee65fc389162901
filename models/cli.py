"""Commands about rules, costs and single dispatches; ``fenban`` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

rules = typer.Typer(no_args_is_help=True, help="The city's own routing rules (docs/policy.md).")

BundleOption = Annotated[Path | None, typer.Option("--bundle", help="bundle folder; default: the shipped one")]
LettersOption = Annotated[Path | None, typer.Option(help="JSON lines of letters: counts what each rule would do")]


@rules.callback()
def _group() -> None:
    """Keeps ``check`` a command of its own while it is the only one."""


@rules.command()
def check(file: Path, letters: LettersOption = None, bundle: BundleOption = None) -> None:
    """Find unknown labels, bad or slow patterns, rules that are never reached, and expired ones; exit code 1 if any."""
    from datetime import datetime

    from models.bundle import TAXONOMY
    from models.deadlines import CITY_TIME
    from models.rules_check import check_rules, count_uses
    from models.scoring import read_letters
    from models.taxonomy import Taxonomy
    from models.triage import SHIPPED_BUNDLE, Triage

    folder = bundle or SHIPPED_BUNDLE
    try:
        findings = check_rules(file, Taxonomy.load(folder / TAXONOMY), today=datetime.now(CITY_TIME).date())
        for finding in findings:
            typer.secho(str(finding), fg="red", err=True)
        if letters is not None and not any(finding.fatal for finding in findings):
            for use in count_uses(Triage.load(folder, rules=file), read_letters(letters)):
                slow = f", too slow for {use.slow}" if use.slow else ""
                typer.echo(f"rule {use.rule}: applies to {use.applied} letters{slow}")
    except (ValueError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from None
    if findings:
        raise typer.Exit(1)
    typer.echo(f"{file}: no findings")
