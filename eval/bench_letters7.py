"""Seven topics of letters7: our classifier beside what a user would pick instead, one run, one split.

    python -m eval.bench_letters7 --train ../shared/data/letters7_train.jsonl --test ../shared/data/letters7_test.jsonl

Rows need ``title``, ``body`` and ``label``. Nothing is chosen on the second file.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from sklearn.metrics import accuracy_score, f1_score

from eval.peers import Predictor, fasttext_tuned, labels_of, text_cnn, word_char_title_svm, word_svm
from models.case import MAX_BODY, MAX_TITLE, Case, Labels
from training.crossfit import crossfit
from training.finetune import TrainArguments


def read_letters(path: Path) -> list[Case]:
    """Read labelled letters; the label becomes ``labels.aux``.

    Raises:
        ValueError: a line is not JSON with title, body and label; names file and line.
    """
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            title, body, label = row["title"], row["body"], row["label"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number}: needs JSON with title, body and label") from None
        cases.append(Case(title=title[:MAX_TITLE], body=body[:MAX_BODY], labels=Labels(aux=label)))
    return cases


def fenban(encoder: str) -> Predictor:
    """Our classifier with the options of ``fenban train``."""

    def predict(train: list[Case], test: list[Case]) -> list[str]:
        heads = {"aux": sorted(set(labels_of(train)))}
        scores = crossfit(train, [], heads, TrainArguments(encoder=encoder)).classifier.logits(test)["aux"]
        return [heads["aux"][i] for i in scores.argmax(axis=1)]

    return predict


def main(
    train: Annotated[Path, typer.Option(help="JSON lines with title, body, label")],
    test: Annotated[Path, typer.Option(help="the same form, never used for choices")],
    encoder: Annotated[str, typer.Option(help="also ours with this encoder: a name, a folder, or 'tiny'")] = "",
    slow_peers: Annotated[bool, typer.Option(help="also fastText tuned (pip install .[bench]) and TextCNN")] = False,
) -> None:
    """Train each model on TRAIN and print its macro-F1 and accuracy on TEST."""
    fitting, judging = read_letters(train), read_letters(test)
    models: dict[str, Predictor] = {
        "TF-IDF word(1,2) + LinearSVC": word_svm,
        "TF-IDF word + char(1-4) + title char(1-3) + LinearSVC": word_char_title_svm,
        "fenban, n-grams": fenban(""),
    }
    if slow_peers:
        models |= {"fastText, tuned": fasttext_tuned, "TextCNN": text_cnn}
    if encoder:
        models[f"fenban, n-grams + encoder {encoder}"] = fenban(encoder)
    print(f"{'model':<56} macro-F1  accuracy  seconds")
    for name, predict in models.items():
        began = time.perf_counter()
        predicted, truth = predict(fitting, judging), labels_of(judging)
        score, accuracy = f1_score(truth, predicted, average="macro"), accuracy_score(truth, predicted)
        print(f"{name:<56} {score:8.4f}  {accuracy:8.4f}  {time.perf_counter() - began:7.0f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
