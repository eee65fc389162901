"""Silver labels meet the very letter that was labelled, or nothing."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from models.taxonomy import Taxonomy
from training.silver import FIELDS, LABELS, digest, join_labels

ROWS = [{"title": "停水", "body": "小区停水三天"}, {"title": "路灯", "body": "路灯不亮"}]


def write(folder: Path, sha256: str) -> tuple[Path, Path]:
    letters, labels = folder / "letters.jsonl.gz", folder / "labels.csv"
    with gzip.open(letters, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    header = ",".join(["row", "sha256", *FIELDS, "sure"])
    labels.write_text(f"{header}\n1,{sha256},urban,urban_mgmt,,normal,help,外地,1\n", encoding="utf-8")
    return letters, labels


def test_a_label_is_joined_with_the_letter_it_was_given_to(tmp_path: Path) -> None:
    joined = join_labels(*write(tmp_path, digest(ROWS[1])))
    assert [(row["id"], row["body"], row["department"], row["co_department"]) for row in joined] == [
        ("U1", "路灯不亮", "urban_mgmt", None)
    ]


def test_another_text_in_that_row_is_refused_by_row_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 1: not the letter"):
        join_labels(*write(tmp_path, digest(ROWS[0])))


def test_every_shipped_label_is_of_the_taxonomy() -> None:
    taxonomy = Taxonomy.load()
    with LABELS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 5000
    for row in rows:
        for head in ("topic", "department", "urgency", "request_type"):
            assert row[head] in taxonomy.ids(head), row["row"]
