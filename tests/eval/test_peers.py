"""The peers of the benchmarks learn from the training letters alone and answer in order, with labels they have seen."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from transformers import AutoModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from eval.bench_letters7 import NEEDS, QUICK, ROWS, chosen_rows, main
from eval.peers import (
    FASTTEXT_TUNED,
    Predictor,
    TextCnn,
    TextCnnOptions,
    encoder_alone,
    fasttext_arguments,
    fasttext_with,
    text_cnn,
    train_fasttext,
    word_char_title_svm,
    word_svm,
)
from models.case import Case, Labels
from training.encoder import new_encoder
from training.finetune import DATA

WORDS = {"停水": "自来水管没有水了", "噪音": "工地施工夜里太吵", "学校": "孩子入学报名材料"}
ARGUMENTS = {"lr": 0.5, "epoch": 20, "dim": 20, "wordNgrams": 1, "minCount": 1, "bucket": 1000}


def letters(n: int, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        label = list(WORDS)[int(rng.integers(0, 3))]
        body = f"第{rng.integers(0, 9999)}号{WORDS[label]}"
        found.append(Case(id=str(i), title="来信", body=body, labels=Labels(aux=label)))
    return found


def unlabelled(cases: list[Case]) -> list[Case]:
    return [case.model_copy(update={"labels": Labels()}) for case in cases]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder as ``fenban pretrain`` writes it, very small and without any training."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(DATA / "tiny_encoder" / "tokenizer.json"),
        pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", unk_token="[UNK]",
    )  # fmt: skip
    torch.manual_seed(0)
    new_encoder(tokenizer, layers=1, width=32, heads=2).model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def fasttext_given(train: list[Case], test: list[Case]) -> list[str]:
    pytest.importorskip("fasttext", reason="fastText is an extra: pip install .[bench]")
    return fasttext_with(train, test, "aux", ARGUMENTS)


def few_epochs_cnn(train: list[Case], test: list[Case]) -> list[str]:
    return text_cnn(train, test, options=TextCnnOptions(dim=32, filters=16, length=40, max_epochs=6, batch_size=16))


def transformer(folder: Path, *, pretrained: bool) -> Predictor:
    return encoder_alone(folder, pretrained=pretrained, epochs=12, max_tokens=40)


PEERS: dict[str, Callable[[Path], Predictor]] = {
    "word-svm": lambda _: word_svm,
    "svm": lambda _: word_char_title_svm,
    "fasttext": lambda _: fasttext_given,
    "text-cnn": lambda _: few_epochs_cnn,
    "transformer": lambda folder: transformer(folder, pretrained=False),
    "encoder": lambda folder: transformer(folder, pretrained=True),
}


def test_every_peer_of_the_benchmark_is_tested_here() -> None:
    assert set(PEERS) == {name for name in ROWS if not name.startswith("fenban")}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_learns_what_is_plain_to_see_and_never_reads_the_labels_it_is_judged_by(
    name: str, encoder: Path
) -> None:
    """The test letters carry no labels at all: a peer that tuned on them would stop."""
    train, test = letters(150, 1), letters(40, 2)
    said = PEERS[name](encoder)(train, unlabelled(test))
    assert len(said) == len(test)
    assert set(said) <= set(WORDS)
    assert np.mean([a == b.labels.aux for a, b in zip(said, test, strict=True)]) > 0.95


@pytest.mark.parametrize("name", ["svm", "text-cnn", "transformer"])
def test_a_peer_says_the_same_again(name: str, encoder: Path) -> None:
    train, test = letters(60, 1), unlabelled(letters(20, 2))
    peer = PEERS[name](encoder)
    assert peer(train, test) == peer(train, test)


@pytest.mark.parametrize("name", ["word-svm", "svm", "fasttext", "text-cnn"])
def test_a_peer_answers_letter_by_letter_in_their_order(name: str, encoder: Path) -> None:
    train, test = letters(100, 1), unlabelled(letters(12, 2))
    peer = PEERS[name](encoder)
    assert peer(train, test[::-1]) == peer(train, test)[::-1]


def test_fasttext_is_tuned_on_training_letters_alone() -> None:
    """It is given no others; what it finds are arguments that can be given again."""
    pytest.importorskip("fasttext", reason="fastText is an extra: pip install .[bench]")
    found = fasttext_arguments(letters(300, 1), seconds=1)
    assert tuple(found) == FASTTEXT_TUNED
    assert json.loads(json.dumps(found)) == found
    assert found["epoch"] >= 1
    assert found["lr"] > 0


def test_fasttext_draws_all_of_its_embeddings() -> None:
    """With one thread nine tenths of them stay at zero (fastText issue 1061), which underfits any grid."""
    pytest.importorskip("fasttext", reason="fastText is an extra: pip install .[bench]")
    model = train_fasttext(letters(300, 1), "aux", list(WORDS), ARGUMENTS | {"lr": 1e-9, "epoch": 1, "bucket": 0})
    assert (np.abs(model.get_input_matrix()).max(axis=1) > 1e-6).mean() > 0.99


def test_textcnn_has_a_logit_per_letter_and_label() -> None:
    options = TextCnnOptions(dim=8, filters=4)
    model = TextCnn(30, 7, options).eval()
    characters = torch.randint(0, 30, (5, 25))
    assert model(characters).shape == (5, 7)
    padded = torch.cat([characters, torch.zeros((5, 10), dtype=torch.long)], dim=1)
    assert model(padded).shape == (5, 7)


def test_the_transformer_from_scratch_takes_nothing_from_the_pretrained_weights(encoder: Path, tmp_path: Path) -> None:
    """The same answers from an encoder whose every weight is another: only size and tokenizer count."""
    for file in encoder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(encoder / "model.safetensors")
    save_file(
        {name: torch.full_like(w, 9.0) for name, w in weights.items()}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    assert float(next(AutoModel.from_pretrained(tmp_path).parameters()).detach().mean()) == 9.0
    train, test = letters(40, 1), unlabelled(letters(20, 2))

    def said(folder: Path, *, pretrained: bool) -> list[str]:
        return encoder_alone(folder, pretrained=pretrained, epochs=2, max_tokens=40)(train, test)

    assert said(tmp_path, pretrained=False) == said(encoder, pretrained=False)
    assert said(tmp_path, pretrained=True) != said(encoder, pretrained=True)


def test_a_letter_without_a_label_is_named() -> None:
    with pytest.raises(ValueError, match="case 7: has no aux"):
        word_svm([*letters(10, 1), Case(id="7", body="停水")], letters(5, 2))


def test_rows_are_chosen_by_name() -> None:
    assert chosen_rows([], []) == list(QUICK)
    assert chosen_rows(["text-cnn", "word-svm"], []) == ["word-svm", "text-cnn"]
    with pytest.raises(ValueError, match="--only bert: must be one of word-svm, svm"):
        chosen_rows(["bert"], [])
    for name, option in NEEDS.items():
        assert chosen_rows([name], [option]) == [name]
        with pytest.raises(ValueError, match=f"--only {name}: needs --{option}"):
            chosen_rows([name], {"encoder", "vectors", "extra"} - {option})


def test_the_benchmark_prints_the_row_that_was_asked_for(tmp_path: Path) -> None:
    for name, cases in (("train", letters(80, 1)), ("test", letters(30, 2))):
        rows = [json.dumps({"title": c.title, "body": c.body, "label": c.labels.aux}) for c in cases]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    app = typer.Typer()
    app.command()(main)
    files = ["--train", str(tmp_path / "train.jsonl"), "--test", str(tmp_path / "test.jsonl")]
    told = CliRunner().invoke(app, [*files, "--only", "word-svm"])
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert [line.startswith(ROWS["word-svm"][0]) for line in lines] == [False, True]
    assert lines[1].split()[-3:-1] == ["1.0000", "1.0000"]
    assert CliRunner().invoke(app, [*files, "--only", "encoder"]).exit_code == 2
