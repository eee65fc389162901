"""Splits keep copies together, respect time, share out labels, and leaks fail; what a bundle has seen is known."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import fenban
from models.case import Case, Labels, Letter
from models.seen import Seen, write_seen
from training.cases import iter_cases, read_cases, write_cases
from training.leaks import LeakError, check_split, duplicate_groups, find_leaks, jaccard, shingles
from training.split import split, split_by_time, split_cases, split_stratified

BODY = "小区门口的路灯坏了半个月没人修，晚上老人出门看不见路，已经有人摔倒，请尽快派人来看看并给个答复"


def letter(number: int, body: str | None = None, **fields: object) -> Case:
    rng = np.random.default_rng(number)
    text = body or "".join(chr(0x4E00 + int(i)) for i in rng.integers(0, 3000, 60))
    return Case(id=str(number), title="来信", body=text, **fields)


def test_near_duplicates_get_one_key_and_others_their_own() -> None:
    cases = [letter(1, BODY), letter(2), letter(3, BODY.replace("半个月", "一个月")), letter(4, group="a")]
    cases.append(letter(5, group="a"))
    keys = duplicate_groups(cases)
    assert keys[0] == keys[2]
    assert keys[3] == keys[4]
    assert len(set(keys)) == 3


def test_minhash_finds_the_pairs_that_exact_jaccard_finds() -> None:
    rng = np.random.default_rng(0)
    train = [letter(i) for i in range(200)]
    test = []
    for i in range(100):
        text = list(train[i].body)
        for place in rng.choice(60, int(rng.integers(0, 12)), replace=False):
            text[place] = "改"
        test.append(letter(1000 + i, "".join(text)))
    exact = {i for i in range(100) if max(jaccard(shingles(test[i]), shingles(t)) for t in train) >= 0.7}
    found = {leak.second for leak in find_leaks(train, test)}
    assert found <= exact
    assert len(found) >= 0.9 * len(exact) > 20


def test_a_leaking_split_fails_and_names_ids_only() -> None:
    with pytest.raises(LeakError, match="1~2") as caught:
        check_split([letter(1, BODY)], [letter(2, BODY + "谢谢")])
    assert "路灯" not in str(caught.value)
    with pytest.raises(LeakError, match="both sides"):
        check_split([letter(1, source="s", group="g")], [letter(2, source="s", group="g")])
    late, early = (letter(i, received_at=datetime(2026, 1, day)) for i, day in ((1, 9), (2, 3)))
    with pytest.raises(LeakError, match="later than"):
        check_split([late], [early], by_time=True)


def test_a_split_by_time_trains_on_the_past_and_drops_copies() -> None:
    start = datetime(2026, 1, 1)
    cases = [letter(i, received_at=start + timedelta(days=i)) for i in range(50)]
    cases.append(letter(99, cases[3].body, received_at=start + timedelta(days=60)))
    train, test = split_by_time(cases, 0.2)
    check_split(train, test, by_time=True)
    assert 5 <= len(test) <= 12
    assert "99" not in {case.id for case in test}
    with pytest.raises(ValueError, match="no received_at"):
        split_by_time([letter(1)], 0.2)


def test_a_stratified_split_gives_every_label_its_share() -> None:
    cases = [letter(i, labels=Labels(department="tax" if i % 10 else "fire")) for i in range(200)]
    _, test = split_stratified(cases, 0.25, "department")
    assert Counter(case.labels.department for case in test) == {"tax": 45, "fire": 5}


def test_a_case_keeps_its_side_when_others_arrive() -> None:
    cases = [letter(i) for i in range(300)]
    test = {case.id for case in split_cases(cases[:200], 0.2)[1]}
    assert test == {case.id for case in split_cases(cases, 0.2)[1]} & {case.id for case in cases[:200]}
    assert test == {case.id for case in split(cases[:200], 0.2, keys=duplicate_groups(cases[:200]))[1]}


def test_the_command_splits_and_names_a_wrong_way(tmp_path: Path) -> None:
    write_cases([letter(i) for i in range(60)], tmp_path / "all.parquet")
    paths = [tmp_path / "train.parquet", tmp_path / "test.parquet"]
    arguments = ["split", str(tmp_path / "all.parquet"), "--train", str(paths[0]), "--test", str(paths[1])]
    assert CliRunner().invoke(fenban.app, arguments).exit_code == 0
    assert sum(len(read_cases(path)) for path in paths) == 60
    assert [len(chunk) for chunk in iter_cases(tmp_path / "all.parquet", 25)] == [25, 25, 10]
    assert "must be one of" in CliRunner().invoke(fenban.app, [*arguments, "--by", "luck"]).output


def test_seen_letters_are_known_again_under_other_titles_and_punctuation(tmp_path: Path) -> None:
    train, test = [letter(i) for i in range(100)], [letter(i) for i in range(100, 130)]
    write_seen(tmp_path, train, test)
    seen = Seen.load(tmp_path)
    again = Letter(title="另一个标题", body=f" {train[0].body}！")
    assert seen.known
    assert seen.in_train([again, *test]).tolist() == [True, *[False] * 30]
    assert seen.in_test([*test, train[0]]).sum() == 30
    assert train[0].body.encode() not in (tmp_path / "seen.safetensors").read_bytes()


def test_the_same_letters_give_the_same_file_and_a_leak_is_refused(tmp_path: Path) -> None:
    train = [letter(i) for i in range(20)]
    contents = []
    for name, cases in (("a", train), ("b", train[::-1])):
        (tmp_path / name).mkdir()
        write_seen(tmp_path / name, cases)
        contents.append((tmp_path / name / "seen.safetensors").read_bytes())
    assert contents[0] == contents[1]
    with pytest.raises(ValueError, match="both in the training and in the test split"):
        write_seen(tmp_path, train, train[:1])
    assert not Seen.load(tmp_path).known
    (tmp_path / "seen.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"seen\.safetensors: cannot be read"):
        Seen.load(tmp_path)
