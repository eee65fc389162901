"""The ``fenban`` command: parses, calls a plain function of one of the folders, prints.

This is the composition root, so it alone may import all folders; each command imports what it
needs when it runs, since torch takes seconds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from eval.cli import register as register_evaluation
from models import cli as models_cli
from models.places.cli import gazetteer
from serving import cli as serving_cli

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(models_cli.rules, name="rules")
app.add_typer(gazetteer, name="gazetteer")
BundleOption = Annotated[Path | None, typer.Option("--bundle", help="bundle folder; default: the shipped one")]
PolicyOption = Annotated[Path | None, typer.Option("--policy", help="YAML of the city's own costs")]
RulesOption = Annotated[Path | None, typer.Option("--rules", help="YAML of the city's own routing rules")]


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Our own errors are for the user: one line, exit code 1. Anything else is a bug and keeps its trace."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(1) from None


register_evaluation(app, _clear_errors)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="xlsx, csv, jsonl or parquet files")],
    mapping: Annotated[Path, typer.Option(help="YAML that names the columns and maps foreign labels")],
    out: Annotated[Path, typer.Option("-o", "--out", help="cases file to write")] = Path("cases.parquet"),
    redact: Annotated[bool, typer.Option(help="replace personal data by placeholders")] = True,
) -> None:
    """Read case files into one cases file; unusable rows go to *.rejected.csv with the reason."""
    with _clear_errors():
        from models.taxonomy import Taxonomy
        from training.importer import Mapping, import_cases

        counts = import_cases(files, Mapping.load(mapping), Taxonomy.load(), out, redact=redact)
    typer.echo(str(counts))


@app.command()
def split(
    cases: Path,
    train: Annotated[Path, typer.Option(help="cases file to write")],
    test: Annotated[Path, typer.Option(help="cases file to write")],
    test_share: Annotated[float, typer.Option(help="expected share of the test file")] = 0.2,
    by: Annotated[str, typer.Option(help="group, time, or a head whose labels both files shall have")] = "group",
) -> None:
    """Split a cases file so that near-duplicates stay together and a case keeps its side for ever."""
    with _clear_errors():
        from training.cases import read_cases, write_cases
        from training.leaks import check_split, duplicate_groups
        from training.split import split as divide

        rows = read_cases(cases)
        kept, held = divide(rows, test_share, by, keys=duplicate_groups(rows))
        check_split(kept, held, by_time=by == "time")
        write_cases(kept, train)
        write_cases(held, test)
    typer.echo(f"{len(kept)} cases -> {train}, {len(held)} -> {test}")


@app.command()
def pretrain(
    recipe: Annotated[Path, typer.Option(help="YAML recipe, see training/recipes/")],
    out: Annotated[Path, typer.Option(help="folder for the encoder; run again to resume")],
) -> None:
    """Masked language modelling of an encoder of our own."""
    with _clear_errors():
        from training.pretrain import PretrainArguments
        from training.pretrain import pretrain as run

        typer.echo(json.dumps(run(PretrainArguments.from_yaml(recipe), out)))


@app.command()
def train(
    data: Annotated[list[Path], typer.Option(help="cases that train and are judged out of fold; may be repeated")],
    out: Annotated[Path, typer.Option(help="folder for the bundle; must be empty")],
    extra: Annotated[list[Path] | None, typer.Option(help="cases that only train: weaker labels, other tasks")] = None,
    background: Annotated[list[Path] | None, typer.Option(help="texts that are no letters (txt, jsonl, gz)")] = None,
    test: Annotated[list[Path] | None, typer.Option(help="fixed test split: recorded by hash, not trained on")] = None,
    encoder: Annotated[str, typer.Option(help="Hugging Face name or folder, 'tiny', or empty for none")] = "",
    epochs: Annotated[float, typer.Option(help="of the encoder")] = 4.0,
    max_tokens: Annotated[int, typer.Option(help="tokens of a letter that the encoder reads")] = 256,
    max_ngrams: Annotated[int, typer.Option(help="n-grams to keep: those that move the margins most")] = 100_000,
    vectors: Annotated[str, typer.Option(help="word vectors of training.vectors, or empty for none")] = "",
    seed: int = 20261124,
) -> None:
    """Train, calibrate and write a bundle."""
    with _clear_errors():
        from training.background import N_TEXTS, read_background
        from training.cases import read_cases
        from training.finetune import TrainArguments
        from training.train import train_bundle

        args = TrainArguments(
            encoder=encoder,
            max_ngrams=max_ngrams,
            vectors=vectors,
            epochs=epochs,
            max_tokens=max_tokens,
            seed=seed,
        )
        read = {"cases": data, "extra": extra or [], "test": test or []}
        parts = {name: [case for path in paths for case in read_cases(path)] for name, paths in read.items()}
        texts = read_background(background, N_TEXTS, seed) if background else []
        report = train_bundle(parts["cases"], out, args, extra=parts["extra"], test=parts["test"], background=texts)
    for head, metrics in report["out_of_fold"].items():
        typer.echo(f"{head:<13}" + "  ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    for branch, accuracy in report["branches"].items():
        typer.echo(f"{branch:<13}" + "  ".join(f"{head} {value:.3f}" for head, value in accuracy.items()))
    typer.echo(f"bundle {report['version']} -> {out} ({report['seconds']} s)")


@app.command()
def triage(
    title: str,
    body: str,
    stated_unit: Annotated[str | None, typer.Option(help="the unit that the writer or clerk chose")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the record")] = False,
    bundle: BundleOption = None,
    policy: PolicyOption = None,
    rules: RulesOption = None,
) -> None:
    """Suggest a routing for one letter."""
    with _clear_errors():
        from models.case import Letter
        from models.render import render
        from models.triage import SHIPPED_BUNDLE, Triage

        letter = Letter(id="cli", title=title, body=body, stated_unit=stated_unit)
        if letter.is_empty:
            raise ValueError("title and body are empty: give the letter's text")
        suggestion = Triage.load(bundle or SHIPPED_BUNDLE, policy=policy, rules=rules)([letter])[0]
    typer.echo(suggestion.model_dump_json(indent=1) if as_json else render(suggestion))


@app.command()
def score(
    letters: Annotated[Path, typer.Argument(help="JSON lines with id, title, body, stated_unit, received_at")],
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON lines, one suggestion per letter, in input order")],
    bundle: BundleOption = None,
    policy: PolicyOption = None,
    rules: RulesOption = None,
) -> None:
    """Suggest routings for a file of letters."""
    with _clear_errors():
        from models.scoring import score_file
        from models.triage import SHIPPED_BUNDLE, Triage

        triage = Triage.load(bundle or SHIPPED_BUNDLE, policy=policy, rules=rules)
        count = score_file(triage, letters, out, progress=sys.stderr.isatty())
    typer.echo(f"{count} suggestions -> {out}")


app.add_typer(serving_cli.key_app, name="key")
app.add_typer(serving_cli.db_app, name="db")
app.command()(serving_cli.serve)


def main() -> None:
    """Entry point of the ``fenban`` command."""
    app()


if __name__ == "__main__":
    main()
