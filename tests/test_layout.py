"""The dependency direction of the folders, and the command line's help."""

import ast
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fenban

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "models": {"models"},
    "training": {"training", "models", "eval"},
    "eval": {"eval", "models", "training"},
    "serving": {"serving", "models"},
}


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_follow_the_design(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} & set(ALLOWED):
                assert top in ALLOWED[folder], f"{path} imports {top}"


def test_the_command_explains_itself_and_errors_in_one_line() -> None:
    runner = CliRunner()
    assert all(word in runner.invoke(fenban.app, ["--help"]).output for word in ("import", "train", "triage", "score"))
    empty = runner.invoke(fenban.app, ["triage", " ", " "])
    assert empty.exit_code == 1
    assert "error: title and body are empty" in empty.output
