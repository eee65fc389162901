"""The shipped bundle loads, and a damaged one is refused by the file's name."""

import shutil
from pathlib import Path

import pytest

from models.bundle import Bundle, BundleError
from models.triage import SHIPPED_BUNDLE


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED_BUNDLE, tmp_path / "bundle"))


@pytest.mark.parametrize("name", ["model.safetensors", "gazetteer.csv", "calibration.json", "taxonomy.yaml"])
def test_a_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    raw = bytearray((copy / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / name).write_bytes(raw)
    with pytest.raises(BundleError, match=name):
        Bundle.load(copy)


def test_a_truncated_file_is_refused_by_name(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"model\.safetensors: sha256 differs"):
        Bundle.load(copy)


def test_missing_and_foreign_files_are_refused_by_name(copy: Path) -> None:
    (copy / "extra.pkl").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.pkl: not listed"):
        Bundle.load(copy)
    (copy / "extra.pkl").unlink()
    (copy / "policy.json").unlink()
    with pytest.raises(BundleError, match=r"policy\.json: missing"):
        Bundle.load(copy)


def test_the_shipped_bundle_is_small_and_holds_nothing_executable() -> None:
    files = list(SHIPPED_BUNDLE.iterdir())
    assert sum(f.stat().st_size for f in files) <= 30_000_000
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".yaml", ".csv", ".md"}
