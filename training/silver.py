"""Labels that a language model gave to letters of an unlabelled file, joined with the file itself.

    python -m training.silver ../shared/data/unlabelled.jsonl.gz work/silver.jsonl
    fenban import work/silver.jsonl --mapping training/data/silver.mapping.yaml -o silver.parquet

``data/silver.csv`` holds the labels by row number and the first 12 hex digits of the letter's SHA-256, so that
labels never meet another letter; the letters themselves are not in the repository. The labellers read each
letter under the written guide of the annotated letters, in one pass; of the urgent ones among the first 5,100
the urgency was read again. Such readers agree with the reference on the department in 93 % of letters
(``eval.bench_agreement``): good enough to train on, not to judge by. The 1,500 letters whose topic or department a
model fitted on the other folds disputed most were read again, blind; where reader and model agreed, the label was
changed (156 departments, 111 topics, 64 request types).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path

import typer

LABELS = Path(__file__).parent / "data" / "silver.csv"
FIELDS = ("topic", "department", "co_department", "urgency", "request_type", "district")


def digest(row: dict[str, str]) -> str:
    """First 12 hex digits of the SHA-256 of title and body."""
    return hashlib.sha256(f"{row['title']}\n{row['body']}".encode()).hexdigest()[:12]


def join_labels(letters: Path, labels: Path = LABELS) -> list[dict[str, str | None]]:
    """The labelled letters, with their labels.

    Raises:
        ValueError: the file is another one: a row is missing or its text differs; names the row.
    """
    with gzip.open(letters, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    joined: list[dict[str, str | None]] = []
    with labels.open(encoding="utf-8", newline="") as stream:
        for label in csv.DictReader(stream):
            number = int(label["row"])
            if number >= len(rows) or digest(rows[number]) != label["sha256"]:
                raise ValueError(f"{letters}, row {number}: not the letter that was labelled; use the original file")
            letter = {"id": f"U{number}", "title": rows[number]["title"], "body": rows[number]["body"]}
            joined.append({**letter, **{name: label[name] or None for name in FIELDS}})
    return joined


def main(letters: Path, out: Path) -> None:
    """Write the labelled letters as JSON lines."""
    rows = join_labels(letters)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} labelled letters -> {out}")


if __name__ == "__main__":
    typer.run(main)
