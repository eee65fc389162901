"""Labels that look wrong, by cleanlab (Northcutt et al. 2021), streaming; for people to look at, never fixed here."""

from __future__ import annotations

import numpy as np
from cleanlab.experimental.label_issues_batched import LabelInspector

from eval.predictions import WITH_DISTRIBUTION, Codes, Predictions
from eval.schema import LabelIssue


def find_label_issues(predictions: Predictions, *, limit: int = 30) -> list[LabelIssue]:
    """The most suspicious topic and department labels, worst first, at most ``limit`` per head.

    Confident learning needs two passes over the distributions: thresholds per label, then quality.
    Labels without a letter are left out, since they have no threshold.
    """
    found: list[LabelIssue] = []
    for head in WITH_DISTRIBUTION:
        labels = predictions.labels(head)
        truth = predictions.codes(f"{head}_true", head)
        rows = np.flatnonzero(truth >= 0)
        present = np.unique(truth[rows])
        if len(present) < 2:
            continue
        dense = np.searchsorted(present, truth)
        inspector = LabelInspector(num_class=len(present), verbose=False)
        for score in (inspector.update_confident_thresholds, inspector.score_label_quality):
            _pass(score, predictions, head, truth, dense, present)
        quality = inspector.get_quality_scores()
        suggested = predictions.codes(f"{head}_pred", head)
        worst = [i for i in inspector.get_label_issues() if suggested[rows[i]] != truth[rows[i]]][:limit]
        found += [
            LabelIssue(
                head=head,
                row=int(rows[i]),
                given=labels[truth[rows[i]]],
                suggested=labels[suggested[rows[i]]],
                quality=float(quality[i]),
            )
            for i in worst
        ]
    return sorted(found, key=lambda issue: issue.quality)


def _pass(score: object, predictions: Predictions, head: str, truth: Codes, dense: Codes, present: Codes) -> None:
    assert callable(score)
    for start, shares in predictions.distributions(head):
        here = truth[start : start + len(shares)] >= 0
        if here.any():
            kept = np.asarray(shares[here][:, present], np.float64) + 1e-9
            score(dense[start : start + len(shares)][here], kept / kept.sum(axis=1, keepdims=True))
