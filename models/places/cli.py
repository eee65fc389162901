"""``fenban gazetteer``: build, import, check, explain, fit and learn."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

SHIPPED_TABLE = Path(__file__).parents[1] / "data" / "gazetteer.csv"
gazetteer = typer.Typer(no_args_is_help=True, help="The table of places: whose street is it?")
TableOption = Annotated[Path, typer.Option("--gazetteer", help="table; default: the shipped one")]


def _fail(error: Exception) -> typer.Exit:
    typer.secho(f"error: {error}", fg="red", err=True)
    return typer.Exit(1)


@gazetteer.command()
def build(sources: Path, out: Annotated[Path, typer.Option("-o", "--out")] = SHIPPED_TABLE) -> None:
    """Compile the table from a sources file (models/places/sources.yaml)."""
    from models.places.build import build as run
    from models.taxonomy import Taxonomy

    try:
        counts = run(sources, out, Taxonomy.load())
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{sum(counts.values())} rows -> {out}: " + ", ".join(f"{kind} {n}" for kind, n in counts.items()))


@gazetteer.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="CSV with name, kind, unit; or GeoJSON with names")],
    out: Annotated[Path, typer.Option("-o", "--out", help="table to write")],
    table: TableOption = SHIPPED_TABLE,
    kind: Annotated[str | None, typer.Option(help="kind of all features of a GeoJSON file")] = None,
    accept: Annotated[bool, typer.Option(help="add names that the table gives to another unit")] = False,
) -> None:
    """Merge your own places into a table; conflicts are printed and left out."""
    from models.places.imports import import_places
    from models.taxonomy import Taxonomy

    try:
        report = import_places(source, table, out, Taxonomy.load(), kind=kind, accept=accept)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    for line in report.conflicts:
        typer.secho(f"conflict: {line}", fg="yellow", err=True)
    typer.echo(f"added {report.added}, confirmed {report.confirmed}, conflicts {len(report.conflicts)} -> {out}")


@gazetteer.command()
def check(table: Annotated[Path, typer.Argument()] = SHIPPED_TABLE) -> None:
    """Read a table and list its problems; exit code 1 if there are any."""
    from models.places.imports import check_table
    from models.taxonomy import Taxonomy

    try:
        problems = check_table(table, Taxonomy.load())
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo("\n".join([*problems, f"{table}: {len(problems)} problems"]))
    if problems:
        raise typer.Exit(1)


@gazetteer.command()
def explain(
    name: str,
    table: TableOption = SHIPPED_TABLE,
    memory: Annotated[Path | None, typer.Option(help="place_memory.json; default: the one beside the table")] = None,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="judge by this day")] = None,
) -> None:
    """Tell what is known about a name: owners, aliases, generations, closed cases."""
    from models.places.explain import explain as run
    from models.places.resolver import MEMORY
    from models.taxonomy import Taxonomy

    beside = table.parent / MEMORY
    try:
        chosen = memory or (beside if beside.is_file() else None)
        lines = run(name, table, Taxonomy.load(), chosen, on.date() if on else None)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo("\n".join(lines))


@gazetteer.command()
def fit(
    letters: Annotated[list[Path], typer.Argument(help="JSON lines with title, body and district")],
    out: Annotated[Path, typer.Option("-o", "--out", help="place_model.json to write")],
    table: TableOption = SHIPPED_TABLE,
) -> None:
    """Learn the weights that turn mentions into probabilities; prints the figures out of fold."""
    from models.places.fit import examples, fit_model, read_labelled
    from models.places.resolver import PlaceResolver
    from models.taxonomy import Taxonomy

    try:
        taxonomy = Taxonomy.load()
        resolver = PlaceResolver.load(table, taxonomy)
        found = [e for path in letters for e in examples(resolver, read_labelled(path, taxonomy))]
        model, facts = fit_model(found)
        model.save(out, fitted_on=[path.name for path in letters], out_of_fold=facts)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{facts} -> {out}", file=sys.stdout)


@gazetteer.command()
def learn(
    cases: Annotated[Path, typer.Argument(help="JSON lines of closed cases with title, body and dispatches")],
    memory: Annotated[Path, typer.Option("-o", "--out", help="place_memory.json to make or to add to")],
    table: TableOption = SHIPPED_TABLE,
) -> None:
    """Teach the place memory from accepted and returned dispatches of closed cases."""
    from models.places.learn import learn_file
    from models.taxonomy import Taxonomy

    try:
        learned = learn_file(cases, memory, table, Taxonomy.load())
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{learned} dispatches learned -> {memory}")
