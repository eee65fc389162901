"""The taxonomy file is checked, and old department names keep their meaning."""

from pathlib import Path

import pytest
import yaml

from models.taxonomy import SHIPPED, Taxonomy, TaxonomyError


def edited(tmp_path: Path, **sections: object) -> Path:
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    path = tmp_path / "taxonomy.yaml"
    path.write_text(yaml.safe_dump({**raw, **sections}, allow_unicode=True), encoding="utf-8")
    return path


def test_the_shipped_taxonomy_has_the_23_units_and_four_heads() -> None:
    taxonomy = Taxonomy.load()
    assert len(taxonomy.units) == 23
    assert taxonomy.name("unit", "510108") == "成华区"
    assert [len(taxonomy.ids(h)) for h in ("topic", "urgency", "request_type")] == [14, 3, 4]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"topics": [{"id": "a", "name": "甲"}, {"id": "a", "name": "乙"}]}, r"topics\[1\]: duplicate id 'a'"),
        ({"topics": [{"id": "a"}]}, r"topics\[0\] \(a\): name is missing"),
        ({"topics": [{"name": "甲"}]}, r"topics\[0\]: id is missing"),
        ({"topics": []}, "topics: missing or empty"),
        ({"request_types": [{"id": "a", "name": "甲"}]}, "request_types.a.working_days"),
        (
            {"departments": [{"id": "a", "name": "甲", "valid_to": "2019-01-01", "successors": ["b"]}]},
            "departments.a.successors: unknown id 'b'",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_and_place(tmp_path: Path, sections: dict, message: str) -> None:
    path = edited(tmp_path, **sections)
    with pytest.raises(TaxonomyError, match=message) as caught:
        Taxonomy.load(path)
    assert str(path) in str(caught.value)


def test_a_retired_department_maps_to_its_only_successor_and_is_never_a_class(tmp_path: Path) -> None:
    departments = [
        {"id": "market", "name": "市场监管局"},
        {"id": "rest", "name": "其他"},
        {"id": "gs", "name": "工商局", "valid_to": "2019-01-01", "successors": ["market"]},
        {"id": "jw", "name": "经委", "valid_to": "2019-01-01", "successors": ["market", "rest"]},
    ]
    taxonomy = Taxonomy.load(edited(tmp_path, departments=departments))
    assert taxonomy.ids("department") == ["market", "rest"]
    assert taxonomy.resolve("department", "工商局") == "market"
    assert taxonomy.resolve("department", "经委") is None
