"""What a user would try first: TF-IDF + SVM for the department, the district named in the letter for the unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from eval.peers import Svm
from eval.predictions import Codes
from models.case import Case
from models.suggestion import UNKNOWN_UNIT
from models.taxonomy import Taxonomy


class Baseline:
    """Fitted on the training cases that have a department.

    Raises:
        ValueError: fewer than two departments among them.
    """

    def __init__(self, train: Sequence[Case], taxonomy: Taxonomy) -> None:
        labelled = [case for case in train if case.labels.department]
        departments = [str(case.labels.department) for case in labelled]
        if len(set(departments)) < 2:
            raise ValueError("the training file has fewer than two departments: the baseline cannot be fitted")
        self.svm = Svm().fit(labelled, departments)
        self.taxonomy = taxonomy
        names = {name: unit.id for unit in taxonomy.units for name in (unit.name, *unit.aliases)}
        self.names = sorted(names.items(), key=lambda pair: -len(pair[0]))

    def unit(self, case: Case) -> str:
        """The stated unit, or else the unit whose name comes first in the letter."""
        if case.stated_unit and (stated := self.taxonomy.unit_code(case.stated_unit)):
            return stated
        text = f"{case.title}\n{case.body}"
        places = [(text.find(name), unit) for name, unit in self.names if name in text]
        return min(places)[1] if places else UNKNOWN_UNIT

    def predict(
        self, chunks: Iterable[Sequence[Case]], departments: list[str], units: list[str]
    ) -> tuple[Codes, Codes]:
        """Department and unit of every case as indices into the given labels, both ``(n,)``."""
        first: list[npt.NDArray[np.int64]] = []
        second: list[npt.NDArray[np.int64]] = []
        for cases in chunks:
            said = self.svm.predict(cases)
            first.append(np.array([departments.index(label) for label in said], np.int64))
            second.append(np.array([units.index(self.unit(case)) for case in cases], np.int64))
        return np.concatenate(first), np.concatenate(second)
