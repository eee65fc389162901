"""``fenban compare``: may bundle B replace bundle A? The same letters, paired tests, declared limits.

    fenban compare service/bundle new/bundle --cases held_out.parquet -o comparison/

Writes ``compare.json``, ``compare.html`` and ``flips.csv`` (letters whose first dispatch became right or
wrong, redacted).
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eval import calibration
from eval.compare_schema import Comparison, Flip, HeadChange, SliceChange
from eval.evaluate import check_seen, file_sha256, run_model
from eval.groups import Groups, letter_groups
from eval.intervals import LEVEL, SEED, Estimate, mcnemar, paired_difference, share, statistic
from eval.metrics import macro_f1
from eval.operating import Routing
from eval.page import write_compare_page
from eval.predictions import ALL_HEADS, Bools, Codes, Floats, Predictions
from eval.promotion import Against, Promotion, at_least, check_ece, conclude
from eval.report import commit, measure_head
from eval.schema import Check, State
from eval.slices import MIN_LETTERS, holm, parts
from eval.texts import fetch_texts, harmless
from models.triage import Triage

COMPARISON, PAGE, FLIPS = "compare.json", "compare.html", "flips.csv"
SHOWN_FLIPS = 30


def compare(
    first: Path, second: Path, cases: Path, out: Path, *, promotion: Path, force: bool = False, progress: bool = True
) -> Comparison:
    """Compare bundle ``second`` with bundle ``first``, the one in service, and write the result into ``out``.

    Raises:
        SeenError: one of them was trained on some of the letters, and ``force`` is off.
        ValueError: a file cannot be used, or the bundles have different labels.
    """
    limits = Promotion.load(promotion)
    models = Triage.load(first), Triage.load(second)
    for bundle in (first, second):
        check_seen(bundle, cases, force=force, only_test=False)
    out.mkdir(parents=True, exist_ok=True)
    facts = {"cases": file_sha256(cases)}
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            run_model(model, cases, Path(folder) / f"{i}.parquet", facts, progress) for i, model in enumerate(models)
        )
        result = measure_change(before, after, limits, letter_groups(cases))
        (out / COMPARISON).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        write_flips(result, before, after, cases, out / FLIPS)
        shown = [flip.row for flip in shown_flips(result)]
        rows = before.rows(shown), after.rows(shown)
        write_compare_page(result, shown_flips(result), rows, fetch_texts(cases, shown), out / PAGE)
    return result


def measure_change(before: Predictions, after: Predictions, limits: Promotion, groups: Groups) -> Comparison:
    """All figures of a comparison, from predictions of two models on the same letters.

    Raises:
        ValueError: the files hold different letters, or the models have different labels.
    """
    if before.count != after.count or before.facts.get("cases") != after.facts.get("cases"):
        raise ValueError(f"{after.path}: predictions of other letters than {before.path}; predict again")
    for head in ALL_HEADS:
        if before.labels(head) != after.labels(head):
            raise ValueError(f"the bundles have different {head} labels; compare bundles of one taxonomy")
    routes = Routing.of(before), Routing.of(after)
    city, labelled, units = routes[0].dispatchable, routes[0].labelled, groups.codes
    heads = {head: found for head in ALL_HEADS if (found := _head_change(before, after, head, units))}
    right = routes[0].right[city], routes[1].right[city]
    slices = _slices(before, routes, units)
    flips = [
        Flip(row=int(row), now_right=bool(routes[1].right[row]))
        for row in np.flatnonzero(city & (routes[0].right != routes[1].right))
    ]
    sent = [route.dispatched & route.labelled for route in routes]
    returns = [share(route.returned[labelled], units[labelled], scale=1000) for route in routes]
    urgent = routes[0].critical
    critical = [~route.missed_critical[urgent] for route in routes]
    recall = share(critical[0], units[urgent]), share(critical[1], units[urgent])
    first_dispatch = paired_difference(right[1], right[0], units[city])
    recall_change = paired_difference(critical[1], critical[0], units[urgent])
    checks = _checks(limits, heads, first_dispatch, recall_change, slices, int(labelled.sum()))
    checks.append(_sent_right(routes[1], sent[1], after, units))
    return Comparison.model_validate(
        {
            "commit": commit(),
            "seed": SEED,
            "first": before.facts["versions"],
            "second": after.facts["versions"],
            "names": before.facts["names"],
            "letters": before.count,
            "groups": groups.count,
            "grouping": groups.grouping,
            "cases_sha256": str(before.facts.get("cases", "")),
            "verdict": conclude(checks),
            "heads": heads,
            "first_dispatch": [share(side, units[city]) for side in right],
            "first_dispatch_change": first_dispatch,
            "first_dispatch_mcnemar": asdict(mcnemar(*right)),
            "dispatched": [share(route.dispatched, units) for route in routes],
            "returns_per_1000": returns,
            "critical_recall": list(recall),
            "critical_recall_change": recall_change,
            "slices": slices,
            "became_right": sum(flip.now_right for flip in flips),
            "became_wrong": sum(not flip.now_right for flip in flips),
            "flips": flips,
        }
    )


def shown_flips(result: Comparison) -> list[Flip]:
    """The letters that the page shows: those that became wrong first."""
    return sorted(result.flips, key=lambda flip: flip.now_right)[:SHOWN_FLIPS]


def write_flips(result: Comparison, before: Predictions, after: Predictions, cases: Path, out: Path) -> None:
    """Write every flipped letter, redacted, with what both models said."""
    with out.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        what = [f"{head}_{side}" for head in ("department", "unit") for side in ("actual", "first", "second")]
        writer.writerow(["row", "id", "now_right", *what, "title", "body"])
        for start in range(0, len(result.flips), 5000):
            some = result.flips[start : start + 5000]
            numbers = [flip.row for flip in some]
            old, new, texts = before.rows(numbers), after.rows(numbers), fetch_texts(cases, numbers)
            for flip in some:
                a, b, text = old[flip.row], new[flip.row], texts[flip.row]
                said = [v for h in ("department", "unit") for v in (a[f"{h}_true"], a[f"{h}_pred"], b[f"{h}_pred"])]
                line = [flip.row, a["id"], flip.now_right, *said, text.title, text.body]
                writer.writerow([harmless(value) for value in line])


def _head_change(before: Predictions, after: Predictions, head: str, groups: Codes) -> HeadChange | None:
    truth = before.codes(f"{head}_true", head)
    known = truth >= 0
    said = [p.codes(f"{head}_pred", head)[known] for p in (before, after)]
    right = [codes == truth[known] for codes in said]
    units = groups[known]
    change = paired_difference(right[1], right[0], units)
    measured = [measure_head(p, head, groups) for p in (before, after)]
    if change is None or measured[0] is None or measured[1] is None:
        return None
    return HeadChange.model_validate(
        {
            "n": int(known.sum()),
            "accuracy": [m.accuracy for m in measured if m],
            "accuracy_change": change,
            "macro_f1": [m.macro_f1.value for m in measured if m],
            "macro_f1_change": macro_f1_change(truth[known], said[0], said[1], len(before.labels(head)), units),
            "mcnemar": asdict(mcnemar(right[0], right[1])),
            "ece": [m.ece for m in measured if m],
            "ece_by_chance_95": measured[1].ece_by_chance_95,
            "ece_change": ece_change(_judged(before, head, known), _judged(after, head, known), units),
            "flips": [int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())],
        }
    )


def macro_f1_change(
    truth: Codes, first: Codes, second: Codes, n_labels: int, groups: Codes | None = None
) -> Estimate | None:
    """Paired bootstrap of the difference in macro-F1, ``second - first``."""
    cells, place = np.unique((truth * n_labels + first) * n_labels + second, return_inverse=True)
    true, one, two = cells // n_labels**2, cells // n_labels % n_labels, cells % n_labels

    def compute(weights: Floats) -> Floats:
        scores = []
        for said in (one, two):
            tables = np.zeros((len(weights), n_labels * n_labels))
            for i, cell in enumerate(true * n_labels + said):
                tables[:, cell] += weights[:, i]
            scores.append(macro_f1(tables.reshape(-1, n_labels, n_labels)))
        return np.asarray(scores[1] - scores[0])

    return statistic(compute, place, len(cells), groups, resamples=500)


def ece_change(
    first: tuple[Floats, Bools], second: tuple[Floats, Bools], groups: Codes | None = None
) -> Estimate | None:
    """Paired bootstrap of the difference in ECE, ``second - first``, over letters ``(confidence, right)``.

    Letters are grouped by both models' fine confidence cells, so that pairs stay together.
    """
    fine = [
        np.minimum((c * calibration.FINE).astype(np.int64), calibration.FINE - 1) * 2 + r for c, r in (first, second)
    ]
    _, place, counts = np.unique(fine[0] * 2 * calibration.FINE + fine[1], return_inverse=True, return_counts=True)
    bins, gaps = [], []
    for confidence, right in (first, second):
        gap = np.bincount(place, right - confidence, len(counts)) / counts
        index = np.zeros(len(counts), np.int64)
        index[place] = calibration.bin_index(confidence)
        bins.append(index)
        gaps.append(gap)

    def compute(weights: Floats) -> Floats:
        totals = weights.sum(-1)
        values = [calibration.ece_of_cells(weights * gaps[i], totals, bins[i]) for i in (0, 1)]
        return np.asarray(values[1] - values[0])

    return statistic(compute, place, len(counts), groups, resamples=500)


def _judged(predictions: Predictions, head: str, known: Bools) -> tuple[Floats, Bools]:
    right = predictions.codes(f"{head}_pred", head) == predictions.codes(f"{head}_true", head)
    return predictions.floats(f"{head}_confidence")[known], right[known]


def _slices(before: Predictions, routes: tuple[Routing, Routing], groups: Codes) -> list[SliceChange]:
    """Right first dispatches per slice; ``worse`` by McNemar's test with Holm's correction."""
    found, tests = [], []
    for part in parts(before):
        where = part.mask & routes[0].dispatchable
        first, second = routes[0].right[where], routes[1].right[where]
        change = paired_difference(second, first, groups[where])
        if len(first) < MIN_LETTERS or change is None:
            continue
        found.append(
            SliceChange.model_validate(
                {
                    "code": part.code,
                    "value": part.value,
                    "first": share(first, groups[where]),
                    "second": share(second, groups[where]),
                    "change": change,
                    "worse": False,
                }
            )
        )
        tests.append(mcnemar(first, second).p_value if change.value < 0 else 1.0)
    for i in holm(tests, 1 - LEVEL):
        found[i].worse = True
    return found


def _checks(
    limits: Promotion,
    heads: dict[str, HeadChange],
    first_dispatch: Estimate | None,
    recall: Estimate | None,
    slices: list[SliceChange],
    letters: int,
) -> list[Check]:
    against = limits.against
    enough: State = "pass" if letters >= limits.alone.min_letters else "open"
    checks = [
        Check(code="letters", state=enough, value=letters, limit=limits.alone.min_letters, n=letters),
        at_least("first_dispatch", first_dispatch, -against.max_drop),
        at_least("critical_recall_change", recall, 0.0 - against.max_critical_recall_drop),
    ]
    for name, head in heads.items():
        checks.append(at_least("accuracy", head.accuracy_change, -against.max_drop, head=name))
    for name, head in heads.items():
        checks += list(_ece_checks(name, head, limits.alone.max_ece, against))
    checks += [
        Check(
            code="slice", head=f"{part.code} {part.value or ''}".strip(), state="fail", value=part.change.value,
            low=part.change.low, high=part.change.high, limit=-against.max_slice_drop, n=part.change.n,
        )
        for part in slices
        if part.worse and part.change.value < -against.max_slice_drop
    ]  # fmt: skip
    return checks


def _ece_checks(name: str, head: HeadChange, limit: float, against: Against) -> Iterator[Check]:
    """The absolute limit, and no rise: a rise within the absolute limit is no harm."""
    yield check_ece(name, head.ece[1], head.ece_by_chance_95, limit)
    change = head.ece_change
    if head.ece[1].value > limit and change:
        low = change.low > against.max_ece_rise
        state: State = "pass" if change.value <= against.max_ece_rise else "fail" if low else "open"
        yield Check(
            code="ece_rise", head=name, state=state, value=change.value, low=change.low, high=change.high,
            limit=against.max_ece_rise, n=change.n,
        )  # fmt: skip


def _sent_right(route: Routing, sent: Bools, after: Predictions, groups: Codes) -> Check:
    """What is dispatched without a person must be right as often as the costs ask for."""
    policy = after.facts["policy"]
    limit = max(0.0, 1 - policy["review"] / policy["wrong_dispatch"])
    return at_least("right_when_dispatched", share(route.right[sent], groups[sent]), limit)
