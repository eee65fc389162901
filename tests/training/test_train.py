"""The demo corpus trains a bundle end to end, with and without an encoder, and the same seed repeats."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, BertConfig, DebertaV2Config, PreTrainedConfig, PreTrainedTokenizerFast

from models.case import Case, Labels
from models.precision import MIN_LABELS
from models.taxonomy import Taxonomy
from models.triage import Triage
from training.crossfit import crossfit
from training.finetune import DATA, TrainArguments, label_matrix, make_heads
from training.perceptron import HIDDEN
from training.train import train_bundle

Demo = tuple[list[Case], list[Case]]


def test_the_demo_corpus_trains_a_bundle_that_triages(demo: Demo, tmp_path: Path) -> None:
    report = train_bundle(demo[0], tmp_path / "bundle", TrainArguments(min_count=2))
    triage = Triage.load(tmp_path / "bundle")
    assert triage.versions.model == report["version"]
    right = [s.topic.label == c.labels.topic for s, c in zip(triage(demo[1]), demo[1], strict=True)]
    assert np.mean(right) > 0.45
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert f"{report['out_of_fold']['topic']['accuracy']:.3f}" in card
    with pytest.raises(FileExistsError, match="not empty"):
        train_bundle(demo[0], tmp_path / "bundle", TrainArguments())


SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.mark.parametrize(("ngrams", "config"), [(True, BertConfig), (False, DebertaV2Config)])
def test_any_hugging_face_encoder_can_be_fine_tuned(
    demo: Demo, tmp_path: Path, ngrams: bool, config: type[PreTrainedConfig]
) -> None:
    PreTrainedTokenizerFast(
        tokenizer_file=str(DATA / "tiny_encoder" / "tokenizer.json"),
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    ).save_pretrained(tmp_path)  # fmt: skip
    size = len(json.loads((DATA / "tiny_encoder" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    AutoModel.from_config(config(vocab_size=size, **SMALL)).save_pretrained(tmp_path)
    cases = demo[0][:64]
    args = TrainArguments(encoder=str(tmp_path), ngrams=ngrams, epochs=2, min_count=2, max_tokens=64)
    heads = make_heads(cases, Taxonomy.load())
    first, second = (crossfit(cases, [], heads, args).classifier.logits(demo[1][:8]) for _ in range(2))
    for head, scores in first.items():
        assert scores.shape == (8, len(heads[head]))
        np.testing.assert_allclose(scores, second[head], rtol=1e-4, atol=1e-4)


def test_ngrams_are_stored_as_integers_only_where_that_was_measured_to_agree(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = TrainArguments(min_count=2, max_ngrams=5000)
    train_bundle(demo[0], tmp_path / "small", args)
    manifest = json.loads((tmp_path / "small" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["integers"]["labels"] >= MIN_LABELS
    small = load_file(tmp_path / "small" / "model.safetensors")
    assert small["wide.weight"].dtype == torch.int8
    assert small["hidden.weight"].shape == (len(small["wide.weight"]), HIDDEN // 2)
    monkeypatch.setattr("training.train.quantize", lambda rows, bits: (torch.ones_like(rows), torch.ones(len(rows), 1)))
    train_bundle(demo[0], tmp_path / "large", args)
    assert load_file(tmp_path / "large" / "model.safetensors")["wide.weight"].dtype == torch.float16
    first, second = (Triage.load(tmp_path / name)(demo[1][:50]) for name in ("small", "large"))
    for a, b in zip(first, second, strict=True):
        assert a.topic.confidence == pytest.approx(b.topic.confidence, abs=0.02)


def test_a_missing_label_is_masked_and_an_unknown_one_is_an_error() -> None:
    heads = {"topic": ["a", "b"], "urgency": ["x"]}
    matrix = label_matrix([Case(id="1", title="t", labels=Labels(topic="b"))], heads)
    assert matrix.tolist() == [[1, -100]]
    with pytest.raises(ValueError, match="case 2: topic 'c'"):
        label_matrix([Case(id="2", title="t", labels=Labels(topic="c"))], heads)
