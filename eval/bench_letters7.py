"""Seven topics of letters7: our classifier beside what a user would pick instead, each row on the same split.

    python -m eval.bench_letters7 --train ../shared/data/letters7_train.jsonl --test ../shared/data/letters7_test.jsonl

Without ``--only`` the rows that take seconds are measured. The slow ones are asked for by name:
``--only fasttext`` (``pip install .[bench]``), ``--only text-cnn``, and with ``--encoder FOLDER``
``--only transformer``, ``--only encoder``, ``--only fenban-encoder``; with ``--vectors FILE`` (``training.vectors``,
made without the test letters) ``--only fenban-vectors``; with ``--extra CASES`` (letters with labels of the taxonomy)
``--only fenban-tasks``: the same seven-way head, whose hidden layer learns their topics, departments and request
types too. Files need ``title``, ``body`` and
``label`` per line. Nothing is chosen on the second file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from sklearn.metrics import accuracy_score, f1_score

from eval.peers import (
    Predictor,
    encoder_alone,
    fasttext_arguments,
    fasttext_with,
    labels_of,
    text_cnn,
    word_char_title_svm,
    word_svm,
)
from models.case import MAX_BODY, MAX_TITLE, Case, Labels
from training.cases import read_cases
from training.crossfit import crossfit, merge_copies
from training.finetune import TrainArguments
from training.leaks import without_copies


@dataclass(frozen=True)
class Settings:
    """Options of the rows that have any; ``fasttext`` replaces the search for arguments."""

    encoder: str = ""
    vectors: str = ""
    extra: tuple[Case, ...] = ()
    epochs: float = 4.0
    max_tokens: int = 256
    autotune_seconds: int = 300
    fasttext: dict[str, Any] | None = None


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


def fenban(encoder: str = "", vectors: str = "", extra: Sequence[Case] = ()) -> Predictor:
    """Our classifier with the options of ``fenban train``; copies of test letters are left out of ``extra``."""

    def predict(train: list[Case], test: list[Case]) -> list[str]:
        heads = {"aux": sorted(set(labels_of(train)))}
        args = TrainArguments(encoder=encoder, vectors=vectors)
        everyone = merge_copies([*train, *(without_copies(extra, test) if extra else ())])
        cases = [case for case in everyone if case.labels.aux]
        more = [case for case in everyone if not case.labels.aux]
        scores = crossfit(cases, more, heads, args).classifier.logits(test)["aux"]
        return [heads["aux"][i] for i in scores.argmax(axis=1)]

    return predict


def fasttext(settings: Settings) -> Predictor:
    """fastText with the arguments that its autotune finds; they are printed, and can be given again."""

    def predict(train: list[Case], test: list[Case]) -> list[str]:
        arguments = settings.fasttext or fasttext_arguments(train, seconds=settings.autotune_seconds)
        typer.echo(f"fastText: {json.dumps(arguments)}")
        return fasttext_with(train, test, "aux", arguments)

    return predict


def _alone(settings: Settings, *, pretrained: bool) -> Predictor:
    return encoder_alone(
        settings.encoder, pretrained=pretrained, epochs=settings.epochs, max_tokens=settings.max_tokens
    )


ROWS: dict[str, tuple[str, Callable[[Settings], Predictor]]] = {
    "word-svm": ("TF-IDF word(1,2) + LinearSVC", lambda _: word_svm),
    "svm": ("TF-IDF word + char(1-4) + title char(1-3) + LinearSVC", lambda _: word_char_title_svm),
    "fasttext": ("fastText, autotuned", fasttext),
    "text-cnn": ("TextCNN", lambda _: text_cnn),
    "transformer": ("transformer of the encoder's size, not pretrained", lambda s: _alone(s, pretrained=False)),
    "encoder": ("the encoder with its pretraining, alone", lambda s: _alone(s, pretrained=True)),
    "fenban": ("fenban, n-grams", lambda _: fenban()),
    "fenban-vectors": ("fenban, n-grams + word vectors", lambda s: fenban(vectors=s.vectors)),
    "fenban-tasks": ("fenban, n-grams + tasks of the extra letters", lambda s: fenban(extra=s.extra)),
    "fenban-encoder": ("fenban, n-grams + encoder", lambda s: fenban(s.encoder)),
}
QUICK = ("word-svm", "svm", "fenban")
NEEDS = {
    "transformer": "encoder",
    "encoder": "encoder",
    "fenban-encoder": "encoder",
    "fenban-vectors": "vectors",
    "fenban-tasks": "extra",
}
"""The option without which a row cannot be measured."""


def chosen_rows(only: Collection[str], given: Collection[str]) -> list[str]:
    """The rows to measure, in the order of the table.

    Args:
        only: names of ``ROWS``; none is ``QUICK``.
        given: options of ``NEEDS`` that have a value.

    Raises:
        ValueError: no row has that name, or a row needs an option that is not given.
    """
    for name in only:
        if name not in ROWS:
            raise ValueError(f"--only {name}: must be one of {', '.join(ROWS)}")
        if NEEDS.get(name, "") not in ("", *given):
            raise ValueError(f"--only {name}: needs --{NEEDS[name]}")
    return [name for name in ROWS if name in (only or QUICK)]


def main(
    train: Annotated[Path, typer.Option(help="JSON lines with title, body, label")],
    test: Annotated[Path, typer.Option(help="the same form, never used for choices")],
    only: Annotated[list[str] | None, typer.Option(help=f"row to measure, repeatable: {', '.join(ROWS)}")] = None,
    encoder: Annotated[str, typer.Option(help="encoder of the rows that need one: a name or a folder")] = "",
    vectors: Annotated[str, typer.Option(help="word vectors of the row fenban-vectors")] = "",
    extra: Annotated[list[Path] | None, typer.Option(help="case files of the row fenban-tasks, repeatable")] = None,
    epochs: Annotated[float, typer.Option(help="of the rows transformer and encoder")] = Settings.epochs,
    max_tokens: Annotated[int, typer.Option(help="of the rows transformer and encoder")] = Settings.max_tokens,
    autotune_seconds: Annotated[int, typer.Option(help="search of the row fasttext")] = Settings.autotune_seconds,
    fasttext: Annotated[str, typer.Option(help="arguments found before, as JSON: no search")] = "",
) -> None:
    """Train each model on TRAIN and print its macro-F1 and accuracy on TEST."""
    try:
        options = {"encoder": encoder, "vectors": vectors, "extra": extra}
        names = chosen_rows(only or [], [option for option, value in options.items() if value])
        found = json.loads(fasttext) if fasttext else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    more = tuple(case for path in extra or () for case in read_cases(path))
    settings = Settings(encoder, vectors, more, epochs, max_tokens, autotune_seconds, found)
    fitting, judging = read_letters(train), read_letters(test)
    truth = labels_of(judging)
    print(f"{'model':<56} macro-F1  accuracy  seconds")
    for name in names:
        title, make = ROWS[name]
        began = time.perf_counter()
        predicted = make(settings)(fitting, judging)
        score, accuracy = f1_score(truth, predicted, average="macro"), accuracy_score(truth, predicted)
        print(f"{title:<56} {score:8.4f}  {accuracy:8.4f}  {time.perf_counter() - began:7.0f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
