"""Word vectors let a word without labels speak like its neighbours, repeat by seed, and end as weights per word."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle import Bundle
from models.case import Case, Labels
from training.crossfit import crossfit
from training.finetune import TrainArguments
from training.train import train_bundle
from training.vectors import VectorOptions, WordVectors, fit_vectors, read_texts

OPTIONS = VectorOptions(size=16, min_count=2, epochs=40, sample=0)
HEADS = {"topic": ["urban", "education"]}


def unlabelled() -> list[str]:
    """Two fields of talk; 天桥 and 课本 appear in no labelled letter below."""
    streets, schools = ("路灯", "天桥", "井盖"), ("教师", "课本", "学生")
    rows = [f"街道 旁边 的 {a} 坏了 请 城管 来 修理 {b} {n}" for n in range(40) for a in streets for b in streets]
    return rows + [f"学校 里 的 {a} 上课 请 教育局 考核 {b} {n}" for n in range(40) for a in schools for b in schools]


def labelled() -> list[Case]:
    lamps = [Case(id=f"a{i}", title="反映", body=f"路灯井盖{i}", labels=Labels(topic="urban")) for i in range(30)]
    return lamps + [
        Case(id=f"b{i}", title="反映", body=f"教师学生{i}", labels=Labels(topic="education")) for i in range(30)
    ]


def test_a_word_without_labels_is_judged_like_the_words_around_it(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    fit_vectors(unlabelled(), OPTIONS).save(path)
    letters = [Case(id="1", title="", body="天桥"), Case(id="2", title="", body="课本")]
    without = crossfit(labelled(), [], HEADS, TrainArguments(min_count=2)).classifier
    args = TrainArguments(min_count=2, vectors=str(path))
    with_vectors = crossfit(labelled(), [], HEADS, args).classifier
    first, second = without.logits(letters)["topic"]
    assert not (first.argmax() == 0 and second.argmax() == 1), "the n-grams alone know these words: no test"
    assert with_vectors.logits(letters)["topic"].argmax(axis=1).tolist() == [0, 1]


def test_the_same_texts_and_seed_give_the_same_vectors_and_the_file_holds_them(tmp_path: Path) -> None:
    first, second = fit_vectors(unlabelled(), OPTIONS), fit_vectors(unlabelled(), OPTIONS)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    first.save(tmp_path / "v.npz")
    loaded = WordVectors.load(tmp_path / "v.npz")
    np.testing.assert_array_equal(loaded.table.hashes, first.table.hashes)
    np.testing.assert_allclose(loaded.vectors, first.vectors, atol=1e-3)


def test_a_bundle_with_word_vectors_scores_as_the_trained_model_does(
    demo: tuple[list[Case], list[Case]], tmp_path: Path
) -> None:
    path = tmp_path / "vectors.npz"
    fit_vectors([c.title + c.body for c in demo[0]], VectorOptions(size=16, epochs=1)).save(path)
    args = TrainArguments(min_count=2, vectors=str(path))
    train_bundle(demo[0], tmp_path / "bundle", args)
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.vocabulary is not None
    assert len(bundle.vocabulary.words.hashes) > 100
    trained = crossfit(demo[0], [], bundle.model.config.heads, args).classifier
    batch = bundle.vocabulary.batch([(c.title, c.body) for c in demo[1][:20]])
    scores = trained.logits(demo[1][:20])["topic"]
    rows = [(torch.from_numpy(ids), torch.from_numpy(weights)) for ids, weights in batch]
    with torch.inference_mode():
        loaded = [
            bundle.model(ngram_ids=ids, ngram_offsets=torch.tensor([0]), ngram_weights=weights).logits["topic"][0]
            for ids, weights in rows
        ]
    np.testing.assert_allclose(torch.stack(loaded).numpy(), scores, atol=0.05)


def test_wrong_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "v.npz").write_text("no", encoding="utf-8")
    with pytest.raises(ValueError, match=r"v\.npz: no word vectors"):
        WordVectors.load(tmp_path / "v.npz")
    (tmp_path / "l.jsonl").write_text(json.dumps({"title": "停水"}) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"l\.jsonl, line 1"):
        read_texts(tmp_path / "l.jsonl")
    with pytest.raises(ValueError, match="no word occurs"):
        fit_vectors(["一次"], VectorOptions(min_count=5))
