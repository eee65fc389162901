"""The shipped bundle loads, and a damaged one is refused by the file's name."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from models.bundle import CONFIG, MANIFEST, WEIGHTS, Bundle, BundleError, seal, write_json
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


def test_a_bundle_of_format_2_which_has_no_hidden_layer_is_still_read(copy: Path) -> None:
    tensors = load_file(copy / WEIGHTS)
    n_labels = tensors["wide.weight"].shape[1]
    heads = {n: t[:, :n_labels].contiguous() for n, t in tensors.items() if n.startswith("outputs.") and t.ndim == 2}
    save_file({n: t for n, t in (tensors | heads).items() if not n.startswith("hidden")}, copy / WEIGHTS)
    config = json.loads((copy / CONFIG).read_text(encoding="utf-8"))
    write_json(copy / CONFIG, {name: value for name, value in config.items() if name != "hidden_size"})
    (copy / MANIFEST).unlink()
    seal(copy)
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    write_json(copy / MANIFEST, {**manifest, "format": 2})
    assert Bundle.load(copy).model.hidden is None
    write_json(copy / MANIFEST, {**manifest, "format": 1})
    with pytest.raises(BundleError, match="format must be one of"):
        Bundle.load(copy)


def test_the_shipped_bundle_is_small_and_holds_nothing_executable() -> None:
    files = list(SHIPPED_BUNDLE.iterdir())
    assert sum(f.stat().st_size for f in files) <= 30_000_000
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".yaml", ".csv", ".md"}
