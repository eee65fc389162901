"""Emergencies go to 110, 119, 120, 122 at once; wishes, fears and old stories do not."""

import csv
from pathlib import Path

import pytest

from models.case import Case, Letter
from models.triage import Triage

LABELS = Path(__file__).parents[2] / "training" / "data" / "transfer_labels.csv"


@pytest.mark.parametrize(
    ("channel", "title", "body"),
    [
        ("119", "仓库起火", "我们小区旁边的仓库正在起火，浓烟往楼上窜，里面还有人被困，快来人救火！"),
        ("110", "有人持刀", "校门口现在有个男的持刀追着人砍，已经砍伤一个，快叫警察来！"),
        ("110", "楼顶有人要跳楼", "现在有个女孩坐在楼顶边上哭着要跳楼，腿在外面，下面围了好多人，快来！"),
        ("120", "老人昏迷了", "刚才一位老人突然倒在地上昏迷，叫不醒，口吐白沫，没人敢动，快派医生来！"),
        ("122", "大巴侧翻", "大巴刚刚在路口侧翻了，司机跑了，车上的人被压着在流血，还在追尾，快来！"),
        ("110", "刚被骗转走两万", "我十分钟前被骗转走两万元，请马上帮我冻结对方账户止付！"),
    ],
)
def test_what_is_happening_now_is_transferred_with_the_words_that_say_so(
    triage: Triage, channel: str, title: str, body: str
) -> None:
    letter = Letter(title=title, body=body)
    (found,) = triage([letter])
    transfer = next(t for t in found.transfer_to if t.label == channel)
    for span in transfer.evidence:
        assert getattr(letter, span.field)[span.start : span.end] == span.text
    assert transfer.evidence
    assert f"transfer_{channel}" in [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("希望增加巡逻", "最近小区外面晚上不太安全，希望派出所多派警察巡逻，增加几个110警务点。"),
        ("建议搞一次消防演练", "万一起火大家都不知道往哪里跑，建议社区请119来搞一次演练，教教灭火器。"),
        ("救护车通道", "小区门口经常停满车，120救护车都进不来，建议划线禁停。"),
        ("路口太危险", "这个路口去年发生过三起车祸，撞伤两个人，建议装红绿灯。"),
        ("手机被偷没有下文", "上个月我的手机在公园被偷，当时报警做了笔录，到现在没有结果，想问问进度。"),
        ("急！！！", "十万火急！请问公积金异地贷款需要准备哪些材料？"),
    ],
)
def test_wishes_fears_and_the_past_are_no_matter_of_an_emergency_number(triage: Triage, title: str, body: str) -> None:
    assert triage([Letter(title=title, body=body)])[0].transfer_to == []


def test_slow_channels_follow_the_matter(triage: Triage) -> None:
    corrupt = Letter(title="举报镇干部受贿", body="实名举报镇长收受包工头红包二十万元，违纪违法，请纪委监委查处。")
    hearing = Letter(
        title="申请劳动仲裁被拒收材料", body="公司拖欠工资，我们去仲裁院申请劳动仲裁，窗口不收材料，怎么办？"
    )
    first, second = triage([corrupt, hearing])
    assert [t.label for t in first.transfer_to] == ["discipline"]
    assert [t.label for t in second.transfer_to] == ["arbitration"]


def test_held_out_letters_are_rarely_transferred_wrongly(triage: Triage, demo: tuple[list[Case], list[Case]]) -> None:
    with LABELS.open(encoding="utf-8", newline="") as lines:
        labels = {row["id"]: {*row["one_of"].split(), *row["also"].split()} for row in csv.DictReader(lines)}
    emergency = {"110", "119", "120", "122"}
    named = [
        ({t.label for t in s.transfer_to} & emergency, labels.get(case.id, set()))
        for s, case in zip(triage(demo[1]), demo[1], strict=True)
    ]
    wrong = sum(bool(found - allowed) for found, allowed in named)
    right = sum(bool(found & allowed) for found, allowed in named)
    assert right >= 5
    assert wrong <= 2
