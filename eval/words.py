"""The words of the page, Chinese and English, for codes that ``metrics.json`` holds."""

from __future__ import annotations

from eval.groups import NEAR_LIMIT

Words = tuple[str, str]

HEADS: dict[str, Words] = {
    "topic": ("主题", "topic"),
    "department": ("部门", "department"),
    "urgency": ("紧急程度", "urgency"),
    "request_type": ("诉求类型", "request type"),
    "unit": ("属地", "unit"),
}
STATES: dict[str, Words] = {
    "pass": ("达标", "pass"),
    "fail": ("未达标", "fail"),
    "open": ("待定", "open"),
}
VERDICTS: dict[str, tuple[Words, Words]] = {
    "pass": (
        ("可以上线", "May go live"),
        ("各项条件均已达标。", "Every condition is met."),
    ),
    "fail": (
        ("不宜上线", "Must not go live"),
        (
            "下列条件未达标，且差距超出抽样误差。",
            "The conditions below are missed by more than chance explains.",
        ),
    ),
    "open": (
        ("尚不能下结论", "Not decided"),
        (
            "没有条件明确不达标，但有条件因信件太少或缺少依据而无法判定。",
            "No condition clearly fails, but some cannot be judged from so few letters.",
        ),
    ),
}
GROUPINGS = {
    "near_duplicates": (
        "近似重复（及已登记分组）的来信合为一组",
        "near-duplicates and recorded groups count as one group",
    ),
    "equal_texts": (
        f"信件超过 {NEAR_LIMIT:,} 封：只合并正文相同或已登记分组的来信，改写过的重复来信仍按独立计，区间可能偏窄",
        f"over {NEAR_LIMIT:,} letters: only equal texts and recorded groups count as one group; reworded copies "
        "count as independent, so intervals may be too narrow",
    ),
}
"""How copies of a letter were found, for the bootstrap (``eval.groups``)."""
CHECKS: dict[str, Words] = {
    "letters": ("评估信件数量（部门与属地均已知）", "letters with known department and unit"),
    "unseen": ("训练中见过的信件或近似重复", "letters seen in training, or near-duplicates of them"),
    "cost": ("每封耗时 ÷ 全部人工阅办", "minutes per letter ÷ reading every letter"),
    "right_when_dispatched": ("直接派单的正确率", "right among letters dispatched without a person"),
    "critical_recall": ("特急报警的召回率", "recall of 特急"),
    "ece": ("置信度误差 ECE", "calibration error (ECE)"),
    "coverage": ("候选集覆盖率", "conformal coverage"),
    "against_human": ("首派正确率，与人工首派之差", "right first dispatch, against people"),
    "against_baseline": ("首派正确率，与 TF-IDF + SVM 之差", "right first dispatch, against TF-IDF + SVM"),
    "against_previous": ("首派正确率，与在用模型之差", "right first dispatch, against the model in service"),
    "accuracy": ("准确率变化", "change of accuracy"),
    "first_dispatch": ("首派正确率变化", "change of right first dispatches"),
    "critical_recall_change": ("特急召回率变化", "change of 特急 recall"),
    "ece_rise": ("ECE 变化", "change of ECE"),
    "slice": ("分组首派正确率变化", "change of right first dispatches in a slice"),
}
SLICES: dict[str, Words] = {
    "wrong_stated": ("来信所称属地有误", "writer names the wrong unit"),
    "shared_road": ("道路分属多个属地", "road shared by units"),
    "zone": ("功能区（高新、天府、东部新区）", "functional zones"),
    "no_place": ("来信未写明地点", "no place given"),
    "short": ("短信件（少于 80 字）", "short (under 80 characters)"),
    "long": ("长信件（超过 600 字）", "long (over 600 characters)"),
    "urgency": ("紧急程度", "urgency"),
    "channel": ("渠道", "channel"),
    "source": ("数据来源", "source"),
    "month": ("月份", "month"),
}
DECISIONS: dict[str, Words] = {
    "dispatch": ("直接派单", "dispatch"),
    "review": ("人工复核", "review"),
    "ask": ("补充询问", "ask"),
    "emergency": ("特急报警", "emergency"),
}
RIVALS: dict[str, Words] = {
    "human": ("人工首次派单（历史记录）", "people's recorded first dispatch"),
    "baseline": ("TF-IDF + SVM，属地取来信所称", "TF-IDF + SVM, unit as the letter names it"),
    "previous": ("在用模型", "model in service"),
}
SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("verdict-strip", "结论", "Verdict"),
    ("risk", "派单与派错", "Risk and coverage"),
    ("what-if", "选择操作点", "Operating point"),
    ("heads", "准确与可信", "Calibration"),
    ("sets", "候选集", "Conformal sets"),
    ("classes", "部门与属地", "Departments and units"),
    ("confusions", "混淆", "Confusions"),
    ("slices", "分组", "Slices"),
    ("missed", "漏报特急", "Missed 特急"),
    ("labels", "可疑标签", "Suspected labels"),
    ("data", "数据与版本", "Data and versions"),
)
