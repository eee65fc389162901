"""A bundle on disk: weights, tokenizer, taxonomy, gazetteer, calibration, and a manifest that guards them.

Everything is safetensors, JSON, YAML, CSV or Markdown; nothing in it can be executed. ``verify`` reads
every byte before anything is used, so a truncated or edited bundle is refused by the file's name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from models.classifier import FenbanClassifier, FenbanConfig
from models.co import CoDepartments
from models.confidence import HeadCalibration
from models.features import BLOCKS, NgramVocabulary, Table
from models.policy import Policy
from models.precision import agrees, bf16_is_faster, dequantize, pack, quantize, unpack
from models.taxonomy import Taxonomy

FORMAT = 3
READABLE = (2, 3)
"""Formats that are read; 2 has no hidden layer over the n-grams."""
MANIFEST, CONFIG, WEIGHTS = "manifest.json", "config.json", "model.safetensors"
TOKENIZER, TAXONOMY, GAZETTEER = "tokenizer.json", "taxonomy.yaml", "gazetteer.csv"
CALIBRATION, POLICY, CARD, METRICS = "calibration.json", "policy.json", "README.md", "metrics.json"
CO_DEPARTMENTS = "co_departments.json"
TABLES = (*BLOCKS, "meaning")
"""Tensor names of the vocabulary's tables: ``NAME.hashes`` and ``NAME.idf``."""
NGRAM_BITS = {"wide": 8, "hidden": 4}
"""Tables with a row for each n-gram, by the name of their module, and the bits of a number where rounding agrees."""


class BundleError(ValueError):
    """The bundle cannot be trusted or used; the message names the file."""


@dataclass(frozen=True)
class Bundle:
    """What a loaded bundle holds; ``folder`` for the parts that are read from disk, such as the gazetteer."""

    folder: Path
    version: str
    model: FenbanClassifier
    vocabulary: NgramVocabulary | None
    tokenizer: Tokenizer | None
    taxonomy: Taxonomy
    calibration: dict[str, HeadCalibration]
    policy: Policy
    co_departments: CoDepartments | None = None

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Verify and read a bundle.

        Raises:
            BundleError: a file is missing, changed or malformed, or the format is not ours.
        """
        manifest = verify(folder)
        tensors = load_file(folder / WEIGHTS)
        config = FenbanConfig(**_json(folder / CONFIG))
        taxonomy = Taxonomy.load(folder / TAXONOMY)
        for head, ids in config.heads.items():
            if head in taxonomy.heads and ids != taxonomy.ids(head):
                raise BundleError(f"{folder / CONFIG}: labels of head {head} differ from {TAXONOMY}")
        vocabulary = None
        if config.vocabulary_size:
            *blocks, words = (_table(tensors, name) for name in TABLES)
            vocabulary = NgramVocabulary(tuple(blocks), words)
            for name in [n for n in NGRAM_BITS if f"{n}.scale" in tensors]:
                integers = tensors[f"{name}.weight"]
                integers = unpack(integers) if NGRAM_BITS[name] == 4 else integers
                tensors[f"{name}.weight"] = dequantize(integers, tensors.pop(f"{name}.scale"))
        model = FenbanClassifier(config)
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True)
        for table in ngram_tables(model).values():
            table.half()
        if model.deep is not None and agrees(manifest.get("bf16")) and bf16_is_faster():
            model.deep.bfloat16()
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER)) if config.encoder else None
        calibration = {head: HeadCalibration(**raw) for head, raw in _json(folder / CALIBRATION).items()}
        policy = Policy(**_json(folder / POLICY))
        version = str(manifest["version"])
        co = CoDepartments(**_json(folder / CO_DEPARTMENTS)) if CO_DEPARTMENTS in manifest["sha256"] else None
        if co is not None and co.ids != taxonomy.ids("department"):
            raise BundleError(f"{folder / CO_DEPARTMENTS}: departments differ from {TAXONOMY}")
        return cls(folder, version, model.eval(), vocabulary, tokenizer, taxonomy, calibration, policy, co)


def save_weights(
    folder: Path,
    model: FenbanClassifier,
    vocabulary: NgramVocabulary | None,
    tokenizer: Tokenizer | None,
    *,
    rounded: bool = False,
) -> None:
    """Write weights, their configuration and the tokenizer into ``folder``.

    Weights have 16 bits; those of n-grams ``NGRAM_BITS`` where ``rounded``.
    """
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    if vocabulary is not None and model.wide is not None:
        for name, table in ngram_tables(model).items() if rounded else ():
            integers, tensors[f"{name}.scale"] = quantize(table.weight.detach(), NGRAM_BITS[name])
            tensors[f"{name}.weight"] = pack(integers) if NGRAM_BITS[name] == 4 else integers
        for name, known in zip(TABLES, (*vocabulary.blocks, vocabulary.words), strict=True):
            tensors[f"{name}.hashes"] = torch.from_numpy(known.hashes.view(np.int64).copy())
            tensors[f"{name}.idf"] = torch.from_numpy(known.idf).half()
    save_file(tensors, folder / WEIGHTS)
    names = ("heads", "vocabulary_size", "hidden_size", "encoder", "max_tokens")
    write_json(folder / CONFIG, {name: getattr(model.config, name) for name in names})
    if tokenizer is not None:
        tokenizer.save(str(folder / TOKENIZER))


def ngram_tables(model: FenbanClassifier) -> dict[str, torch.nn.EmbeddingBag]:
    """The tables of ``model`` with a row for each n-gram, by the name of their module."""
    tables = {name: getattr(model, name) for name in NGRAM_BITS}
    return {name: table for name, table in tables.items() if table is not None}


def _table(tensors: dict[str, torch.Tensor], name: str) -> Table:
    return Table(tensors.pop(f"{name}.hashes").numpy().view(np.uint64), tensors.pop(f"{name}.idf").float().numpy())


def seal(folder: Path, **facts: Any) -> str:
    """Write the manifest over every file of ``folder``; returns the version, a hash of the contents."""
    digests = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    version = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:12]
    write_json(folder / MANIFEST, {"format": FORMAT, "version": version, **facts, "sha256": digests})
    return version


def verify(folder: Path) -> dict[str, Any]:
    """Check every file against the manifest and return it.

    Raises:
        BundleError: names the first file that is missing, unexpected or changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{path}: not found; is {folder} a bundle made by `fenban train`?")
    manifest = _json(path)
    if not isinstance(manifest, dict) or manifest.get("format") not in READABLE:
        raise BundleError(f"{path}: format must be one of {READABLE}; train the bundle again with this version")
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or WEIGHTS not in digests:
        raise BundleError(f"{path}: has no sha256 of {WEIGHTS}")
    for name, digest in digests.items():
        if Path(name).name != name:
            raise BundleError(f"{path}: {name!r} is not a plain file name")
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name}: missing; copy the bundle again")
        if _sha256(folder / name) != digest:
            raise BundleError(f"{folder / name}: sha256 differs from the manifest; the file was changed or cut short")
    extra = sorted(p.name for p in folder.iterdir() if p.name not in digests and p.name != MANIFEST)
    if extra:
        raise BundleError(f"{folder / extra[0]}: not listed in the manifest; remove it")
    return manifest


def write_json(path: Path, value: Any) -> None:
    """Readable UTF-8 JSON with a final newline."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path}: cannot be read as JSON ({type(error).__name__})") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
