"""A small run of ``eval.bench_hostile``: no 5xx, one error shape, no letter text in the log."""

import re

from eval.bench_hostile import attack, run_schemathesis
from eval.service_process import Server


def test_hostile_input_gets_no_5xx_and_stays_out_of_the_log(server: Server) -> None:
    result = attack(server)
    assert result.faults == []
    assert sum(result.answers.values()) > 100
    assert {200, 400, 404, 405, 413, 415, 422} <= set(result.answers)


def test_schemathesis_finds_no_answer_that_the_description_does_not_name(server: Server) -> None:
    code, report = run_schemathesis(server, cases=30, seed=1)
    assert code == 0, report
    assert int(re.search(r"(\d+) generated", report)[1]) >= 100  # type: ignore[index]
