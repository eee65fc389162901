"""May this model go live: declared limits (``promotion.yaml``) against figures with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.intervals import Estimate
from eval.schema import Check, Conformal, Head, Leaks, SeenLetters, State, Strip, Verdict

SHIPPED = Path(__file__).parent / "promotion.yaml"


class Alone(BaseModel):
    """Limits for one model; see ``promotion.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_letters: int = Field(ge=1)
    max_ece: float = Field(gt=0, le=1)
    coverage_tolerance: float = Field(ge=0, le=1)
    min_critical_recall: float = Field(ge=0, le=1)
    max_cost_share: float = Field(gt=0)


class Against(BaseModel):
    """Limits for a model against the one in service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_drop: float = Field(ge=0, le=1)
    max_critical_recall_drop: float = Field(ge=0, le=1)
    max_ece_rise: float = Field(ge=0, le=1)
    max_slice_drop: float = Field(ge=0, le=1)


class Promotion(BaseModel):
    """All limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alone: Alone
    against: Against

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Promotion:
        """Read a YAML file.

        Raises:
            ValueError: not YAML, or a limit is missing, unknown or out of range; names it.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, OSError) as error:
            raise ValueError(f"{path}: cannot be read ({type(error).__name__})") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(f"{path}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def at_least(code: str, found: Estimate | None, limit: float, *, head: str | None = None) -> Check:
    """Pass when the figure reaches ``limit``; fail when even its upper end does not."""
    if found is None:
        return Check(code=code, head=head, state="open", value=None, limit=limit, n=0)
    state: State = "pass" if found.value >= limit else "fail" if found.high < limit else "open"
    return _check(code, head, state, found, limit)


def at_most(code: str, found: Estimate | None, limit: float, *, head: str | None = None) -> Check:
    """Pass when the figure stays within ``limit``; fail when even its lower end does not."""
    if found is None:
        return Check(code=code, head=head, state="open", value=None, limit=limit, n=0)
    state: State = "pass" if found.value <= limit else "fail" if found.low > limit else "open"
    return _check(code, head, state, found, limit)


def judge_alone(
    limits: Alone,
    *,
    strip: Strip,
    heads: dict[str, Head],
    conformal: dict[str, Conformal],
    cost_share: Estimate | None,
    dispatch_at: float,
    seen: SeenLetters,
    leaks: Leaks,
    letters: int,
) -> list[Check]:
    """The checks of one model, in the order of the page."""
    enough: State = "pass" if letters >= limits.min_letters else "open"
    clean: State = "fail" if seen.letters or leaks.letters else "pass" if seen.known or leaks.checked else "open"
    checks = [
        Check(code="letters", state=enough, value=letters, limit=limits.min_letters, n=letters),
        Check(code="unseen", state=clean, value=max(seen.letters, leaks.letters), limit=0, n=letters),
        at_most("cost", cost_share, limits.max_cost_share),
    ]
    if strip.right_when_dispatched:
        checks.append(at_least("right_when_dispatched", strip.right_when_dispatched, dispatch_at))
    checks.append(at_least("critical_recall", strip.critical_recall, limits.min_critical_recall))
    checks += [check_ece(name, head.ece, head.ece_by_chance_95, limits.max_ece) for name, head in heads.items()]
    checks += [
        at_least("coverage", sets.coverage, sets.promised - limits.coverage_tolerance, head=head)
        for head, sets in conformal.items()
    ]
    for name in ("human", "baseline"):
        if rival := getattr(strip, name):
            checks.append(at_least(f"against_{name}", rival.difference, 0.0))
    return checks


def check_ece(name: str, ece: Estimate, by_chance: float, limit: float) -> Check:
    """ECE is above zero by chance alone: it fails only where it also exceeds what chance explains."""
    state: State = "pass" if ece.value <= limit else "open" if ece.value <= by_chance else "fail"
    return _check("ece", name, state, ece, limit)


def conclude(checks: Iterable[Check]) -> Verdict:
    """The verdict of some checks."""
    listed = list(checks)
    states = {check.state for check in listed}
    return Verdict(state="fail" if "fail" in states else "open" if "open" in states else "pass", checks=listed)


def _check(code: str, head: str | None, state: State, found: Estimate, limit: float) -> Check:
    return Check(
        code=code, head=head, state=state, value=found.value, low=found.low, high=found.high, limit=limit, n=found.n
    )
