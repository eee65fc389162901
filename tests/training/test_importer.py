"""Import of real files of every kind. All letters are made up."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.case import Case
from models.taxonomy import Label, Taxonomy
from training.cases import read_cases, write_cases
from training.importer import ImportCounts, Mapping, import_cases

TAXONOMY = Taxonomy.load()
MAPPING = """
columns: {id: 编号, title: 标题, body: 内容, topic: 类别, unit: 属地, received_at: 来信时间}
values:
  topic: {城建: urban, 待定: null}
  unit: {不明: unknown, 外地: outside}
"""
HEADER = ["编号", "标题", "内容", "类别", "属地", "来信时间"]
ROWS = [
    ["A1", "路灯不亮", "双瑞一路的路灯坏了三天，电话13800138000", "城建", "510108", "2026-11-24 09:30"],
    ["A2", "公交太少", "早高峰等了四十分钟，\n没有车", "transport", "不明", "2026/11/5"],
]


def mapping(tmp_path: Path, text: str = MAPPING) -> Mapping:
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return Mapping.load(path)


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def write_xlsx(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def run(
    tmp_path: Path, *files: Path, text: str = MAPPING, taxonomy: Taxonomy = TAXONOMY, redact: bool = True
) -> tuple[ImportCounts, list[Case], list[dict[str, str]]]:
    out = tmp_path / "out" / "cases.parquet"
    counts = import_cases(files, mapping(tmp_path, text), taxonomy, out, redact=redact, progress=False)
    with out.with_suffix(".rejected.csv").open(encoding="utf-8-sig", newline="") as stream:
        rejected = list(csv.DictReader(stream))
    assert counts.read == counts.kept + counts.merged + counts.rejected
    assert counts.rejected == len(rejected)
    cases = read_cases(out)
    assert counts.kept == len(cases)
    return counts, cases, rejected


def make(path: Path) -> Path:
    """The same two letters in the kind of file that the name asks for."""
    records: list[dict[str, object]] = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    if path.suffix == ".xlsx":
        return write_xlsx(path, [list[object](row) for row in (HEADER, *ROWS)])
    if path.suffix == ".jsonl":
        return write_jsonl(path, records)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
        return path
    return write_csv(path, [HEADER, *ROWS], path.stem)


@pytest.mark.parametrize("name", ["utf-8.csv", "utf-8-sig.csv", "gb18030.csv", "a.xlsx", "a.jsonl", "a.parquet"])
def test_every_kind_of_file_gives_the_same_cases(tmp_path: Path, name: str) -> None:
    counts, cases, _ = run(tmp_path, make(tmp_path / name))
    assert counts == ImportCounts(2, 2, 0, 0, 0)
    first, second = cases
    assert (first.id, first.title, first.body) == ("A1", "路灯不亮", "双瑞一路的路灯坏了三天，电话【手机号】")
    assert (first.labels.topic, first.labels.unit) == ("urban", "510108")
    assert first.received_at == datetime(2026, 11, 24, 9, 30)
    assert first.source == Path(name).stem
    assert (second.labels.topic, second.labels.unit) == ("transport", "unknown")
    assert second.received_at == datetime(2026, 11, 5)


def test_redaction_can_be_switched_off(tmp_path: Path) -> None:
    _, cases, _ = run(tmp_path, make(tmp_path / "a.jsonl"), redact=False)
    assert "13800138000" in cases[0].body


def test_rejected_rows_name_file_row_field_and_reason_but_never_the_letter(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "utf-8.csv",
        [
            HEADER,
            ["1", "秘密一", "秘密内容", "玄学", "510108", ""],
            [],
            ["2", "秘密二", "秘密内容", "urban", "火星区", ""],
            ["3", " ", "nan", "urban", "", ""],
            ["4", "秘密三", "秘密内容", "urban", "", "秘密那天"],
            ["5", "秘密四", "秘" * 20_001, "urban", "", ""],
            ["6", "秘密五", "秘密", "内容", "里有", "逗号", "没有引号"],
        ],
    )
    counts, _, rejected = run(tmp_path, path)
    assert counts == ImportCounts(6, 0, 0, 6, 0)
    assert [(row["row"], row["field"]) for row in rejected] == [
        ("2", "topic"),
        ("4", "unit"),
        ("5", "body"),
        ("6", "received_at"),
        ("7", "body"),
        ("8", "row"),
    ]
    assert {row["file"] for row in rejected} == {"utf-8.csv"}
    assert "秘" not in (tmp_path / "out" / "cases.rejected.csv").read_text(encoding="utf-8-sig")


def test_one_bad_json_line_costs_one_row(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [dict(zip(HEADER, row, strict=True)) for row in ROWS])
    path.write_text('{"编号": "坏\n[1]\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    counts, _, rejected = run(tmp_path, path)
    assert (counts.kept, counts.rejected) == (2, 2)
    assert [(row["row"], row["field"]) for row in rejected] == [("1", "row"), ("2", "row")]


def test_half_surrogates_and_nested_values_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = '{"编号": "1", "标题": %s, "内容": "x", "类别": null, "属地": null, "来信时间": null}\n'
    path.write_text(row % '"\\ud800"' + row % '["a"]', encoding="utf-8")
    counts, _, rejected = run(tmp_path, path)
    assert counts.rejected == 2
    assert {entry["field"] for entry in rejected} == {"title"}


def test_line_separators_inside_a_json_letter_do_not_split_it(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{**dict(zip(HEADER, ROWS[0], strict=True)), "内容": "前\u2028后"}])
    _, cases, _ = run(tmp_path, path)
    assert cases[0].body == "前\u2028后"


def test_excel_numbers_dates_and_blank_rows_keep_codes_and_row_numbers(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        list(HEADER),
        [1001, "甲", "路灯", "urban", 510108.0, datetime(2026, 11, 24, 9, 30)],
        [None] * 6,
        [1002, "乙", "路灯", "玄学", None, None],
    ]
    _, cases, rejected = run(tmp_path, write_xlsx(tmp_path / "a.xlsx", rows))
    assert (cases[0].id, cases[0].labels.unit) == ("1001", "510108")
    assert cases[0].received_at == datetime(2026, 11, 24, 9, 30)
    assert rejected[0]["row"] == "4"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026年11月5日 9时5分", datetime(2026, 11, 5, 9, 5)),
        ("2026/1/5 9:05:07", datetime(2026, 1, 5, 9, 5, 7)),
        ("2026-01-05T09:05:07.250", datetime(2026, 1, 5, 9, 5, 7, 250000)),
        ("2026.1.5", datetime(2026, 1, 5)),
        ("20260105", datetime(2026, 1, 5)),
    ],
)
def test_dates_are_read_as_people_write_them(tmp_path: Path, written: str, meant: datetime) -> None:
    _, cases, _ = run(tmp_path, write_csv(tmp_path / "utf-8.csv", [HEADER, [*ROWS[0][:5], written]]))
    assert cases[0].received_at == meant


def test_duplicates_are_merged_and_missing_labels_filled(tmp_path: Path) -> None:
    rows = [
        ["1", "路灯不亮", "双瑞一路", "", "510108", ""],
        ["2", "路灯 不亮", "双瑞一路 ", "urban", "", ""],
        ["3", "路灯不亮", "双瑞一路", "transport", "", ""],
    ]
    first = write_csv(tmp_path / "utf-8.csv", [HEADER, *rows[:2]])
    second = write_csv(tmp_path / "gb18030.csv", [HEADER, rows[2]], "gb18030")
    counts, cases, _ = run(tmp_path, first, second)
    assert counts == ImportCounts(3, 1, 2, 0, 1)
    assert (cases[0].id, cases[0].labels.topic, cases[0].labels.unit) == ("1", "urban", "510108")


def test_unknown_labels_can_be_masked(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "utf-8.csv", [HEADER, ["1", "甲", "路灯", "玄学", "火星区", ""]])
    _, cases, _ = run(tmp_path, path, text=MAPPING + "on_unknown_label: mask\n")
    assert (cases[0].labels.topic, cases[0].labels.unit) == (None, None)


def test_null_in_values_masks_one_foreign_label(tmp_path: Path) -> None:
    _, cases, _ = run(tmp_path, write_csv(tmp_path / "utf-8.csv", [HEADER, ["1", "甲", "路灯", "待定", "", ""]]))
    assert cases[0].labels.topic is None


def test_old_departments_follow_the_reorganisation(tmp_path: Path) -> None:
    ended = date(2019, 1, 1)
    old = {
        "aic": Label("aic", "工商局", valid_to=ended, successors=("market_reg",)),
        "split": Label("split", "老建委", valid_to=ended, successors=("housing", "urban_mgmt")),
    }
    text = "columns: {body: 内容, department: 主办, co_department: 协办}\nvalues: {department: {质监局: market_reg}}\n"
    rows = [["内容", "主办", "协办"], ["一", "工商局", "质监局"], ["二", "老建委", ""]]
    path = write_csv(tmp_path / "utf-8.csv", rows)
    _, cases, _ = run(tmp_path, path, text=text, taxonomy=replace(TAXONOMY, retired=old))
    assert (cases[0].labels.department, cases[0].labels.co_department) == ("market_reg", "market_reg")
    assert cases[1].labels.department is None, "several successors: masked, not guessed and not rejected"
    assert [case.id for case in cases] == ["utf-8-2", "utf-8-3"]


def test_a_recorded_dispatch_is_read_through_the_taxonomy(tmp_path: Path) -> None:
    text = """
columns: {body: 内容}
dispatch: {unit: 首派, department: 部门, at: 时间, outcome: 结果, reason: 原因}
values: {outcome: {退单: returned}}
"""
    header = ["内容", "首派", "部门", "时间", "结果", "原因"]
    good = ["一", "金牛区", "urban_mgmt", "2026/11/24 10:00", "退单", "属地不符"]
    path = write_csv(tmp_path / "utf-8.csv", [header, good, ["二", "", "", "", "也许", ""], ["三", "", "", "", "", ""]])
    _, cases, rejected = run(tmp_path, path, text=text)
    (dispatch,) = cases[0].dispatches
    assert (dispatch.unit, dispatch.department, dispatch.outcome) == ("510106", "urban_mgmt", "returned")
    assert (dispatch.at, dispatch.reason) == (datetime(2026, 11, 24, 10), "属地不符")
    assert cases[1].dispatches == ()
    assert rejected[0]["field"] == "dispatches.0.outcome"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("columns: {topic: 类别}", "columns: map title"),
        ("columns: {body: 内容, tpoic: 类别}", "columns.tpoic"),
        ("columns: {body: 内容}\nvalues: {planet: {a: b}}", "values.planet"),
        ("columns: {body: 内容}\non_unknown_label: guess", "on_unknown_label"),
        ("columns: {body: 内容}\ncolour: red", "colour"),
        ("columns: [", "not YAML"),
        ("", "map.yaml"),
    ],
)
def test_a_wrong_mapping_is_named_by_file_and_field(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ValueError, match=r"map\.yaml") as caught:
        mapping(tmp_path, text)
    assert named in str(caught.value)


def test_a_mapping_to_a_label_that_does_not_exist_stops_the_import(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"values\.topic\.城建: 'ubran'"):
        run(tmp_path, make(tmp_path / "a.jsonl"), text=MAPPING.replace("urban", "ubran"))


def test_numbers_in_the_mapping_need_no_quotes(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "utf-8.csv", [["内容", "属地"], ["路灯", "8"]])
    _, cases, _ = run(tmp_path, path, text="columns: {body: 内容, unit: 属地}\nvalues: {unit: {8: 510108}}\n")
    assert cases[0].labels.unit == "510108"


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.csv", "a.jsonl", "a.docx", "missing.csv"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if not name.startswith("missing"):
        path.write_bytes(b"\xff\xfe\x00\xff not that kind")
    with pytest.raises(ValueError, match=name):
        run(tmp_path, path)


def test_a_missing_column_is_named_with_the_nearest_but_no_cell_is_shown(tmp_path: Path) -> None:
    headerless = write_csv(tmp_path / "utf-8.csv", ROWS)
    with pytest.raises(ValueError, match="is the first row the header") as caught:
        run(tmp_path, headerless)
    assert "路灯" not in str(caught.value)
    renamed = write_csv(tmp_path / "b.csv", [["编号", "信件标题", *HEADER[2:]], *ROWS])
    with pytest.raises(ValueError, match=r"b\.csv: no column '标题'.*did you mean '信件标题'"):
        run(tmp_path, renamed)


@pytest.mark.parametrize("name", ["authored", "annotated", "letters7"])
def test_shipped_mappings_fit_the_taxonomy(tmp_path: Path, name: str) -> None:
    shipped = Mapping.load(Path(__file__).parents[2] / "training" / "data" / f"{name}.mapping.yaml")
    path = write_jsonl(tmp_path / "a.jsonl", [dict.fromkeys(shipped.columns.values())])
    counts = import_cases([path], shipped, TAXONOMY, tmp_path / "c.parquet", progress=False)
    assert counts == ImportCounts(1, 0, 0, 1, 0)


def test_shipped_letters_import_without_a_rejection(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "training" / "data"
    files = sorted(data.glob("*.jsonl"))
    counts = import_cases(
        files, Mapping.load(data / "authored.mapping.yaml"), TAXONOMY, tmp_path / "c.parquet", progress=False
    )
    assert counts.rejected == 0
    assert counts.kept > 0


def test_cases_files_round_trip(tmp_path: Path) -> None:
    _, cases, _ = run(tmp_path, make(tmp_path / "a.jsonl"))
    write_cases(cases, tmp_path / "again.parquet")
    assert read_cases(tmp_path / "again.parquet") == cases
    write_cases([], tmp_path / "empty.parquet")
    assert read_cases(tmp_path / "empty.parquet") == []
