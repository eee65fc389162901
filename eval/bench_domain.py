"""Can the shipped model tell a citizen's letter from other texts? AUROC by kind, on texts it was not trained on.

    python -m eval.bench_domain --letters ../shared/data/letters7_test.jsonl \
        --others ../shared/data/out_of_domain.jsonl.gz

``--others`` holds JSON lines with ``text`` and ``kind``. English and noise are made by ``training.background``
from another seed than in training.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from sklearn.metrics import roc_auc_score

from models.case import MAX_BODY, MAX_TITLE, Letter
from models.triage import DOMAIN, SHIPPED_BUNDLE, Triage
from training.background import noise_texts

NOISE_SEED = 7


def read_others(path: Path) -> dict[str, list[Letter]]:
    """Texts by kind."""
    kinds: dict[str, list[Letter]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            kinds[row["kind"]].append(Letter(body=row["text"][:MAX_BODY]))
    return kinds


def main(
    letters: Annotated[Path, typer.Option(help="JSON lines with title and body, not trained on")],
    others: Annotated[Path, typer.Option(help="gzipped JSON lines with text and kind")],
    bundle: Path = SHIPPED_BUNDLE,
) -> None:
    """Print the AUROC and the share sent to review, by kind."""
    triage = Triage.load(bundle)
    threshold = triage.bundle.calibration[DOMAIN].threshold

    def score(texts: list[Letter]) -> npt.NDArray[np.floating[Any]]:
        parts = [triage.probabilities(texts[i : i + 256])[DOMAIN][:, 0] for i in range(0, len(texts), 256)]
        return np.concatenate(parts)

    rows = [json.loads(line) for line in letters.read_text(encoding="utf-8").splitlines()]
    real = score([Letter(title=r["title"][:MAX_TITLE], body=r["body"][:MAX_BODY]) for r in rows])
    print(f"{'letters':<18} {len(real):5}  below the line {np.mean(real < threshold):.4f}")
    kinds = read_others(others)
    kinds["english and noise"] = [Letter(body=text) for text in noise_texts(400, np.random.default_rng(NOISE_SEED))]
    for kind, texts in sorted(kinds.items()):
        found = score(texts)
        truth = np.r_[np.ones(len(real)), np.zeros(len(found))]
        auroc = roc_auc_score(truth, np.r_[real, found])
        print(f"{kind:<18} {len(found):5}  below the line {np.mean(found < threshold):.4f}  AUROC {auroc:.4f}")


if __name__ == "__main__":
    typer.run(main)
