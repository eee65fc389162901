"""``fenban serve``, ``fenban key …`` and ``fenban db …``. Each works on the database that the service uses."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

key_app = typer.Typer(no_args_is_help=True, help="API keys of the service")
db_app = typer.Typer(no_args_is_help=True, help="the service's database: schema, retention, deletion")


@contextmanager
def _database(*, migrate: bool = False) -> Iterator[Engine]:
    """The service's database; our own errors and its refusals end in one line and exit code 1."""
    from sqlalchemy.exc import SQLAlchemyError

    from serving.errors import ApiError
    from serving.settings import Settings
    from serving.store import database

    try:
        engine = database.open_engine(Settings().url)
        if migrate:
            database.upgrade(engine)
        yield engine
        engine.dispose()
    except ApiError as error:
        message = error.message
    except (ValueError, OSError) as error:
        message = str(error)
    except SQLAlchemyError as error:
        message = f"the database refused ({type(error).__name__}); check FENBAN_DATABASE_URL, or run: fenban db upgrade"
    else:
        return
    typer.secho(f"error: {message}", fg="red", err=True)
    raise typer.Exit(1)


@key_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="the system or person that will use it")],
    scope: Annotated[list[str], typer.Option(help="intake, reviewer, engineer or metrics; may be given several times")],
) -> None:
    """Make a key and print it. It is shown this once; only a hash of it is kept."""
    from serving.keys import create_key

    with _database(migrate=True) as engine, engine.begin() as connection:
        key = create_key(connection, name, scope)
    typer.echo(key)


@key_app.command("list")
def show() -> None:
    """List keys: id, scopes, since when, revoked when, name."""
    from serving.keys import list_keys

    with _database(migrate=True) as engine, engine.connect() as connection:
        for key in list_keys(connection):
            ended = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "in force"
            typer.echo(
                f"{key.id}  {','.join(sorted(key.scopes)):<24}  {key.created_at:%Y-%m-%d %H:%M}  {ended}  {key.name}"
            )


@key_app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="the id, as in: fenban key list")]) -> None:
    """End a key; running services notice within two seconds."""
    from serving.keys import revoke_key

    with _database() as engine, engine.begin() as connection:
        revoke_key(connection, key_id)
    typer.echo(f"revoked {key_id}")


@db_app.command("upgrade")
def upgrade(revision: str = "head") -> None:
    """Bring the schema to the newest version, or to REVISION."""
    from serving.store import database

    with _database() as engine:
        database.upgrade(engine, revision)
    typer.echo(f"schema is at {revision}")


@db_app.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(help="such as 0001; base drops every table")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Take the schema back to REVISION; what it does not know is lost."""
    from serving.store import database

    if not yes:
        typer.confirm(f"Take the schema back to {revision}, losing what it cannot hold?", abort=True)
    with _database() as engine:
        database.downgrade(engine, revision)
    typer.echo(f"schema is at {revision}")


@db_app.command("purge")
def purge(days: Annotated[int, typer.Option(min=1, help="delete cases older than this many days")]) -> None:
    """Delete old cases with their reports; a trace without text stays of each."""
    from serving.store import changes, database

    now = datetime.now(UTC)
    total = 0
    with _database() as engine:
        while True:
            with engine.begin() as connection:
                count = changes.purge_before(connection, now - timedelta(days=days), now)
            if not count:
                break
            total += count
        database.forget(engine)
    typer.echo(f"{total} cases deleted")


@db_app.command("delete")
def delete(
    case_id: str,
    by: Annotated[str, typer.Option(help="who asks for it; kept in the trace")],
) -> None:
    """Delete one case with its reports; a trace without text stays."""
    from serving.store import changes, database

    with _database() as engine:
        with engine.begin() as connection:
            changes.delete_case(connection, case_id, by=by, now=datetime.now(UTC))
        database.forget(engine)
    typer.echo(f"deleted {case_id}")


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 3000,
) -> None:
    """Serve API v1. Without a key it listens on loopback only."""
    from serving.keys import list_keys

    if not _is_loopback(host):
        with _database(migrate=True) as engine, engine.connect() as connection:
            if not list_keys(connection):
                raise ValueError(
                    f"no API key is configured, so {host} is refused; run first: fenban key create NAME --scope intake"
                )
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Fenban", "--host", host, "--port", str(port)]
    os.execv(sys.executable, command)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
