"""Score a file of letters: JSON lines in, one suggestion per line out, in input order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import ValidationError
from tqdm import tqdm

from models.case import Letter
from models.triage import Triage

CHUNK = 256


def score_file(triage: Triage, letters: Path, out: Path, *, progress: bool = True) -> int:
    """Write the suggestion of every letter of ``letters`` to ``out``.

    The whole input is checked before anything is scored, and ``out`` appears only when complete.

    Returns:
        The number of letters.

    Raises:
        ValueError: a line cannot be used; names file, line and field, never the text.
    """
    total = sum(1 for _ in read_letters(letters))
    partial = out.with_name(out.name + ".partial")
    source = read_letters(letters)
    with partial.open("w", encoding="utf-8") as target, tqdm(total=total, unit="letter", disable=not progress) as bar:
        while chunk := list(islice(source, CHUNK)):
            for suggestion in triage(chunk):
                target.write(suggestion.model_dump_json() + "\n")
            bar.update(len(chunk))
    partial.replace(out)
    return total


def read_letters(path: Path) -> Iterator[Letter]:
    """Yield the letters of a JSON-lines file; keys that a letter does not have are ignored.

    Raises:
        ValueError: as ``score_file``.
    """
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if not raw.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError:
                raise ValueError(f"{where}: not UTF-8; convert the file") from None
            except json.JSONDecodeError as error:
                raise ValueError(f"{where}: not JSON ({error.msg}, column {error.colno})") from None
            if not isinstance(row, dict):
                raise ValueError(f"{where}: must be a JSON object with id, title and body")
            known = {name: row[name] for name in Letter.model_fields if row.get(name) is not None}
            try:
                letter = Letter.model_validate({**known, "id": str(row.get("id", number))})
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                field = ".".join(map(str, first["loc"]))
                raise ValueError(f"{where}, field {field}: {first['msg']}") from None
            if letter.is_empty:
                raise ValueError(f"{where}, field body: title and body are empty; remove the line")
            yield letter
