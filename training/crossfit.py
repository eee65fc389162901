"""Fit both branches, and judge them on letters that neither has seen.

The *judged* cases carry the labels that count: reviewed, of the kind that will be served. *Extra* cases
(weaker labels, auxiliary tasks, other sources) only train. Calibration needs scores of letters the model
was not trained on, and all letters for training, so:

- the n-gram branch is cross-fitted (``training.folds``): each fold of the judged cases is scored by SVMs fitted
  on all else, where each letter's title counts once more as a letter of its own, since many letters are no longer
  than that (docs/decisions/0009-titles-are-short-letters.md);
- the encoder is trained once, on the extra cases that are no copies of judged ones; without extra cases, on
  four fifths of the judged ones, and the last fifth alone is judged;
- per head the weight of the encoder beside the n-grams is the one of ``WEIGHTS`` with the best calibrated
  likelihood on these scores; the shipped n-gram branch is then fitted on every case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from models.batching import make_batch
from models.case import Case, Labels
from models.classifier import MASKED, FenbanClassifier, FenbanConfig
from models.confidence import log_loss
from models.features import NgramVocabulary, letter_features, normalize
from training.finetune import DOMAIN, Deep, TrainArguments, finetune, label_matrix
from training.folds import Logits, cross_fit, fold_numbers
from training.linear import Wide, fit_wide, fold_in
from training.perceptron import TASKS
from training.split import split_cases
from training.vectors import WordVectors

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
JUDGED_SHARE = 0.2


@dataclass(frozen=True)
class Classifier:
    """A trained model with what turns letters into its inputs."""

    model: FenbanClassifier
    vocabulary: NgramVocabulary | None
    tokenizer: Tokenizer | None

    def logits(self, cases: Sequence[Case], *, batch_size: int = 64) -> Logits:
        """Logits per head, ``(n_cases, n_labels)``."""
        parts: dict[str, list[npt.NDArray[np.float32]]] = {head: [] for head in self.model.config.heads}
        self.model.eval()
        with torch.inference_mode():
            for start in range(0, len(cases), batch_size):
                letters = [(c.title, c.body) for c in cases[start : start + batch_size]]
                batch = make_batch(letters, self.vocabulary, self.tokenizer, self.model.config.max_tokens)
                for head, scores in self.model(**batch).logits.items():
                    parts[head].append(scores.float().numpy())
        return {head: np.concatenate(rows) for head, rows in parts.items()}


@dataclass(frozen=True)
class Fitted:
    """The classifier to ship, and what it is worth.

    Attributes:
        judged: cases with scores from models that had not seen them.
        logits: these scores, joined, per head ``(n_judged, n_labels)``.
        wide, deep: the same of each branch alone; empty where the branch is left out.
        weights: weight of the encoder's logits per head.
    """

    classifier: Classifier
    judged: list[Case]
    logits: Logits
    wide: Logits
    deep: Logits
    weights: dict[str, float]


def crossfit(
    cases: Sequence[Case],
    extra: Sequence[Case],
    heads: dict[str, list[str]],
    args: TrainArguments,
    *,
    background: Sequence[Case] = (),
) -> Fitted:
    """Fit both branches; see the module.

    Args:
        cases: the judged cases.
        extra: cases that only train.
        heads: heads to serve; the encoder also learns ``aux`` where cases carry it.
        background: texts that are no letters, for the ``domain`` head of the n-gram branch; cross-fitted too.

    Raises:
        ValueError: no cases, or a label outside ``heads``.
    """
    if not cases:
        raise ValueError("no cases to train on")
    copies = {_key(case) for case in cases}
    extra = [case for case in merge_copies(extra) if _key(case) not in copies]
    judged, rest = list(cases), extra
    if args.encoder and not extra:
        rest, judged = split_cases(cases, JUDGED_SHARE, salt="calibration")
    served = heads
    if background and args.ngrams:
        served = {**heads, "domain": DOMAIN}
        judged, rest = [_as_letter(case) for case in judged], [_as_letter(case) for case in rest]
    deep = finetune(rest, {**heads, **tasks_of(rest, heads)}, args) if args.encoder else None
    deep_logits = {h: s for h, s in deep.logits(judged).items() if h in heads} if deep else {}
    outside = [case.model_copy(update={"labels": Labels(domain="other")}) for case in background]
    wide_logits: Logits = {}
    wide: Wide | None = None
    if args.ngrams:
        wide_logits, wide = _cross_fit_wide(judged, rest, outside, served, args)
    weights = {head: _best_weight(head, judged, heads, wide_logits, deep_logits) for head in heads}
    logits = {h: _joined(wide_logits.get(h), deep_logits.get(h), weights.get(h, 0.0)) for h in served}
    classifier = join(wide, deep, served, weights, args)
    everyone = [*judged, *outside] if served is not heads else judged
    return Fitted(classifier, everyone, logits, wide_logits, deep_logits, weights)


def merge_copies(cases: Sequence[Case]) -> list[Case]:
    """One case per text, with the labels of all its copies; the first copy that has a label wins."""
    found: dict[str, Case] = {}
    for case in cases:
        key = _key(case)
        known = found.get(key)
        if known is None:
            found[key] = case
            continue
        more = {k: v for k, v in case.labels.model_dump().items() if v and getattr(known.labels, k) is None}
        found[key] = known.model_copy(update={"labels": known.labels.model_copy(update=more)})
    return list(found.values())


def join(
    wide: Wide | None, deep: Deep | None, heads: dict[str, list[str]], weights: dict[str, float], args: TrainArguments
) -> Classifier:
    """One model whose heads see both branches' features: ``wide + weight * deep`` as a single linear layer."""
    config = FenbanConfig(
        heads=heads,
        vocabulary_size=len(wide.vocabulary) if wide else 0,
        hidden_size=len(wide.hidden.bias) if wide and wide.hidden else 0,
        encoder=deep.model.config.encoder if deep else None,
        max_tokens=args.max_tokens,
    )
    model = FenbanClassifier(config)
    if wide:
        fold_in(model, wide)
    if deep and model.deep is not None and deep.model.deep is not None:
        model.deep.load_state_dict(deep.model.deep.state_dict())
        _add_deep_heads(model, deep.model, weights, config.wide_width)
    return Classifier(model.eval(), wide.vocabulary if wide else None, deep.tokenizer if deep else None)


def _add_deep_heads(model: FenbanClassifier, deep: FenbanClassifier, weights: dict[str, float], first: int) -> None:
    with torch.no_grad():
        for head, layer in model.outputs.items():
            assert isinstance(layer, torch.nn.Linear)
            if not first:
                layer.bias.zero_()
            layer.weight[:, first:] = 0.0
            if head in weights:
                source = deep.outputs[head]
                assert isinstance(source, torch.nn.Linear)
                layer.weight[:, first:] = weights[head] * source.weight
                layer.bias.add_(weights[head] * source.bias)


def _cross_fit_wide(
    judged: list[Case], rest: list[Case], outside: list[Case], heads: dict[str, list[str]], args: TrainArguments
) -> tuple[Logits, Wide]:
    """Out-of-fold margins of ``judged`` and ``outside``, and the SVMs fitted on every case."""
    everyone = [*judged, *outside, *rest]
    n_judged = len(judged) + len(outside)
    folds = np.r_[fold_numbers(everyone[:n_judged]), np.full(len(rest), -1)]
    titled = np.flatnonzero([args.titles and bool(case.title.strip()) for case in everyone])
    everyone += [title_alone(everyone[row]) for row in titled]  # trained on where their letters are, never judged
    folds = np.r_[folds, folds[titled]]
    tasks = tasks_of(everyone, heads)
    fit = partial(
        fit_wide,
        heads=heads,
        tasks=tasks,
        min_count=args.min_count,
        max_size=args.max_ngrams,
        seed=args.seed,
        vectors=WordVectors.load(Path(args.vectors)) if args.vectors else None,
    )
    letters = [letter_features(case.title, case.body) for case in everyone]
    return cross_fit(letters, label_matrix(everyone, {**heads, **tasks}), folds, n_judged, fit)


def title_alone(case: Case) -> Case:
    """The title as a short letter, with the labels that a title tells: not how urgent it is, nor what is asked for."""
    labels = case.labels.model_copy(update={"urgency": None, "request_type": None})
    return case.model_copy(update={"title": "", "body": case.title, "labels": labels})


def _as_letter(case: Case) -> Case:
    return case.model_copy(update={"labels": case.labels.model_copy(update={"domain": "letter"})})


def _best_weight(head: str, judged: Sequence[Case], heads: dict[str, list[str]], wide: Logits, deep: Logits) -> float:
    if head not in deep:
        return 0.0
    if head not in wide:
        return 1.0
    labels = label_matrix(judged, heads)[:, list(heads).index(head)]
    known = np.flatnonzero(labels != MASKED)
    if not len(known):
        return 0.0
    first, second = wide[head][: len(judged)][known], deep[head][known]
    losses = [log_loss(_joined(first, second, weight), labels[known]) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmin(losses))]


def _joined(
    wide: npt.NDArray[np.float32] | None, deep: npt.NDArray[np.float32] | None, weight: float
) -> npt.NDArray[np.float32]:
    if wide is None and deep is None:
        raise ValueError("no branch scored this head")
    if deep is None:
        return wide  # type: ignore[return-value]
    if wide is None:
        return weight * deep
    joined = wide.copy()
    joined[: len(deep)] += np.float32(weight) * deep
    return joined


def tasks_of(cases: Sequence[Case], heads: dict[str, list[str]]) -> dict[str, list[str]]:
    """Heads that are not served, but whose labels ``cases`` carry: they teach beside ``heads``."""
    found = {task: {getattr(case.labels, task) for case in cases} - {None} for task in TASKS if task not in heads}
    return {task: sorted(labels) for task, labels in found.items() if len(labels) > 1}


def _key(case: Case) -> str:
    return normalize(case.title + case.body)
