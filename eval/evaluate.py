"""``fenban evaluate``: run a bundle over a cases file and write the report's four files.

    fenban evaluate models/data/bundle --cases cases.parquet -o report/

Cases and predictions are streamed: memory grows by a few numbers per letter, never by its text.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from eval.baselines import Baseline
from eval.groups import letter_groups
from eval.operating import Costs, Routing
from eval.page import write_page
from eval.predictions import COSTS, Bools, Predictions, predict
from eval.promotion import SHIPPED, Promotion
from eval.report import Context, measure, rival_routing
from eval.schema import LeakRow, Leaks, Metrics, SeenLetters
from eval.texts import fetch_texts, write_errors
from models.case import Case
from models.seen import Seen
from models.triage import Triage
from training.cases import count_cases, iter_cases, read_cases, write_cases
from training.leaks import find_leaks

PREDICTIONS, METRICS, ERRORS, PAGE = "predictions.parquet", "metrics.json", "errors.csv", "report.html"
LEAK_LIMIT = 100
NOT_CHECKED = Leaks(checked=False, letters=0, pairs=[])


class SeenError(ValueError):
    """Letters of the cases file were trained on."""


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    Attributes:
        costs: YAML of a cost setting that replaces the bundle's.
        promotion: YAML of the limits of the verdict.
        train: cases file of the training letters: adds the baseline and the search for near-duplicates.
        previous: bundle in service, to be compared with.
        force: evaluate although letters were seen in training; the page says so.
        only_test: keep only letters of the test split recorded in the bundle.
        reuse: take the predictions of an earlier run where bundle and cases are the same.
        progress: show a progress bar.
    """

    costs: Path | None = None
    promotion: Path = field(default=SHIPPED)
    train: Path | None = None
    previous: Path | None = None
    force: bool = False
    only_test: bool = False
    reuse: bool = False
    progress: bool = True


def evaluate(bundle: Path, cases: Path, out: Path, options: Options | None = None) -> Metrics:
    """Evaluate ``bundle`` on ``cases`` and write the report into the folder ``out``.

    Raises:
        SeenError: letters were seen in training, and ``force`` is off.
        ValueError: a file cannot be used; says which and why.
    """
    options = options or Options()
    promotion = Promotion.load(options.promotion)
    triage = Triage.load(bundle)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        letters = _test_split(bundle, cases, Path(scratch)) if options.only_test else cases
        seen = check_seen(bundle, letters, force=options.force, only_test=options.only_test)
        facts = {"cases": file_sha256(letters)}
        stored = _stored(out / PREDICTIONS, triage, facts) if options.reuse else None
        predictions = stored or run_model(triage, letters, out / PREDICTIONS, facts, options.progress)
        leaks, rivals = NOT_CHECKED, {}
        if options.train:
            train = read_cases(options.train)
            leaks = _leaks(train, letters)
            rivals["baseline"] = ("TF-IDF + SVM", _baseline(train, letters, predictions, triage))
        if options.previous:
            before = Triage.load(options.previous)
            said = run_model(before, letters, Path(scratch) / PREDICTIONS, facts, options.progress)
            rivals["previous"] = (before.versions.model, Routing.of(said).right)
        return write_report(predictions, letters, out, options, promotion, seen, leaks, rivals, name=cases.name)


def write_report(
    predictions: Predictions,
    cases: Path,
    out: Path,
    options: Options,
    promotion: Promotion,
    seen: SeenLetters,
    leaks: Leaks = NOT_CHECKED,
    rivals: dict[str, tuple[str, Bools]] | None = None,
    *,
    name: str = "",
) -> Metrics:
    """Measure stored predictions and write ``metrics.json``, ``errors.csv`` and ``report.html``."""
    served = Costs(**{cost: predictions.facts["policy"][cost] for cost in COSTS})
    context = Context(
        costs=Costs.load(options.costs, served) if options.costs else served,
        served=served,
        promotion=promotion,
        seen=seen,
        leaks=leaks,
        cases_file=name or cases.name,
        cases_sha256=predictions.facts.get("cases") or file_sha256(cases),
        rivals=rivals or {},
        groups=letter_groups(cases),
    )
    metrics = measure(predictions, context)
    (out / METRICS).write_text(metrics.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_errors(predictions, cases, out / ERRORS)
    shown = [row for pair in metrics.confusions for row in pair.rows] + metrics.missed_critical
    shown += [issue.row for issue in metrics.label_issues] + [leak.row for leak in leaks.pairs]
    write_page(metrics, predictions.rows(shown), fetch_texts(cases, shown), out / PAGE)
    return metrics


def run_model(triage: Triage, cases: Path, out: Path, facts: dict[str, str], progress: bool) -> Predictions:
    """Stream a cases file through a model into ``out``."""
    with tqdm(total=count_cases(cases), unit="letter", disable=not progress, desc=triage.versions.model) as bar:

        def chunks() -> Iterator[Sequence[Case]]:
            for chunk in iter_cases(cases, 64):
                yield chunk
                bar.update(len(chunk))

        predict(triage, chunks(), out, facts)
    return Predictions.open(out)


def check_seen(bundle: Path, cases: Path, *, force: bool, only_test: bool) -> SeenLetters:
    """Count the letters that the bundle was trained on.

    Raises:
        SeenError: there are some, and ``force`` is off; gives ids, never text.
    """
    seen = Seen.load(bundle)
    found: list[str] = []
    count = 0
    if seen.known:
        for chunk in iter_cases(cases):
            mask = seen.in_train(chunk)
            count += int(mask.sum())
            found += [case.id for case, hit in zip(chunk, mask, strict=True) if hit][: 5 - len(found)]
    if count and not force:
        raise SeenError(
            f"{cases}: {count} letters were seen in training (ids {', '.join(found)}); evaluate on held-out letters "
            "(--only-test keeps the bundle's recorded test split), or give --force and have it stamped on the page"
        )
    return SeenLetters(known=seen.known, letters=count, forced=force and count > 0, only_test_split=only_test)


def file_sha256(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _test_split(bundle: Path, cases: Path, folder: Path) -> Path:
    seen = Seen.load(bundle)
    kept = [case for chunk in iter_cases(cases) for case, hit in zip(chunk, seen.in_test(chunk), strict=True) if hit]
    if not kept:
        raise ValueError(f"{cases}: holds no letter of the test split recorded in {bundle}; leave --only-test out")
    write_cases(kept, folder / "cases.parquet")
    return folder / "cases.parquet"


def _stored(path: Path, triage: Triage, facts: dict[str, str]) -> Predictions | None:
    if not path.is_file():
        return None
    found = Predictions.open(path)
    same = found.facts["versions"] == triage.versions.model_dump() and found.facts.get("cases") == facts["cases"]
    return found if same else None


def _leaks(train: Sequence[Case], cases: Path) -> Leaks:
    pairs: list[LeakRow] = []
    start = 0
    for chunk in iter_cases(cases, 20_000):
        for leak in find_leaks(train, chunk):
            pairs.append(LeakRow(row=start + leak.second, train_id=train[leak.first].id, similarity=leak.similarity))
        start += len(chunk)
    pairs.sort(key=lambda leak: -leak.similarity)
    return Leaks(checked=True, letters=len(pairs), pairs=pairs[:LEAK_LIMIT])


def _baseline(train: Sequence[Case], cases: Path, predictions: Predictions, triage: Triage) -> Bools:
    baseline = Baseline(train, triage.bundle.taxonomy)
    labels = predictions.labels("department"), predictions.labels("unit")
    return rival_routing(predictions, *baseline.predict(iter_cases(cases), *labels))
