"""Matters of other channels (国办函〔2025〕66号): at once to 110, 119, 120 or 122, or to a court, a hearing, …

An emergency number is named only where two signs agree: the classifier finds the letter possibly 特急, and
the text names what that number is for, in a clause that does not speak of fear, the past or a proposal. So
a wish for more police patrols is no 110 matter, and neither is a plea for a fire drill. One logistic weighs
both signs (``WEIGHTS``, fitted by ``python -m eval.bench_transfer`` on authored letters labelled by reading).
Money that a fraud took within hours is a 110 matter (紧急止付) though no life is at risk.

The slow channels follow the lead department, and for arbitration and reconsideration the words of the title.
This falls down for emergencies told without any of the words below, and for those that the classifier misses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.case import Letter
from models.suggestion import Channel, Reason, Span, Transfer
from models.taxonomy import Taxonomy

NAMES: dict[Channel, str] = {
    "110": "公安报警 110",
    "119": "消防救援 119",
    "120": "医疗急救 120",
    "122": "交通事故报警 122",
    "litigation": "诉讼",
    "arbitration": "仲裁",
    "discipline": "纪检监察",
    "reconsideration": "行政复议",
    "petition": "信访",
}
EMERGENCY_CHANNELS: tuple[Channel, ...] = ("110", "119", "120", "122")
CRITICAL_AT = 0.2
"""Probability of 特急 below which words of danger are not believed."""
TRANSFER_AT = 0.5
"""Probability that a channel must have the letter from which it is named; precision counts here."""
N_EVIDENCE = 3
WEIGHTS = {"critical": 0.96, "strong": 2.23, "weak": 0.61, "title": 1.34, "department": 0.44}
BIAS: dict[Channel, float] = {"110": -1.94, "119": -1.8, "120": -1.44, "122": -3.31}
OWN_DEPARTMENTS: dict[Channel, tuple[str, ...]] = {
    "110": ("police",),
    "119": ("fire", "emergency", "gas"),
    "120": ("health",),
    "122": ("traffic_police",),
}

_GAS = r"(?:燃气|煤气|天然气|液化气|沼气|氨气?|氯气|瓦斯|硫化氢|汽油|柴油|溶剂|化学品|有毒气体|毒气)"
_HIGH = r"(?:塔吊|吊臂|楼顶|房顶|天台|窗台|栏杆外|护栏|桥栏)"
_KNIFE = r"(?:菜刀|砍刀|柴刀|水果刀|剔骨刀|切肉的刀|匕首|扳手|橡胶棍|铁锹)"
_STRONG: dict[Channel, str] = {
    "110": (
        rf"跳楼|跳河|跳江|跳桥|轻生|自杀|自残|自焚|寻短见|不想活|没有意思了|(?:说|钱|证|来|拿不到).{{0,3}}就跳|要跳楼|割(?:了)?(?:手)?腕"
        rf"|同归于尽|一尸两命|(?:喝|捏|拧开).{{0,6}}(?:农药|敌敌畏)|农药.{{0,12}}喝|(?:坐|爬|站|翻)(?:在|到|上|了).{{0,10}}{_HIGH}"
        rf"|{_HIGH}.{{0,6}}坐|开(?:着)?煤气睡|持刀|持枪|长枪|枪口|炸弹|雷管|{_KNIFE}|砍(?:人|伤|死)|捅(?:人|死|了)"
        r"|打架|互殴|殴打|打(?:了)?起来|动(?:了)?手打|又(?:动手|在打|打我)|对打|约架|大打出手|砸车|打砸|哄抢|在打(?:我|他|她)|打断"
        r"|绑架|绑了人|绑在|非法拘禁|不放我走|掐(?:了)?我?脖子|捂(?:他|她)?的?脸|电棍"
        r"|走丢|走失|失联|抱走|拐卖|被拐|被卖|传销|人贩|吸毒|抢劫|泼(?:了)?.{0,6}(?:汽油|柴油|热油)|你的脸不要|没有主人"
    ),
    "119": (
        r"起火|着火|失火|烧(?:了)?起来|烧着了|正在烧|火苗|火舌|火势|浓烟|冒(?:着|出)?(?:黑|白|大)烟|爆炸|炸了|窜火"
        rf"|{_GAS}.{{0,12}}(?:泄[漏露]|漏|喷|挖断|往外)|漏(?:了)?(?:燃|煤|天然|氨|氯)气|{_GAS}味.{{0,8}}(?:重|浓|大|冲)|沟里.{{0,6}}{_GAS}"
        r"|(?:燃气|气|煤气)管.{0,6}(?:挖断|断|破|裂)|气罐.{0,8}(?:喷|漏)|(?:液体|水).{0,10}冒白烟"
        r"|被困|困(?:在|住|人)|关(?:了|着|在)?.{0,6}(?:电梯|冷库)|电梯.{0,10}(?:困|关了|坠|掉下)|锁.{0,4}冷库|(?:两个|人|老人).{0,8}窗子上喊"
        r"|(?:人|工人|下头|底下|下面).{0,6}埋|埋在(?:下|里|底|管|沟)|(?:掉|摔|滚|跌)(?:进|到|下|入)(?:了)?.{0,6}(?:井|坑|江|河|水)里?|落水|溺水|沉下去|陷(?:在|进).{0,4}(?:泥|淤)"
        r"|停在(?:半空|最高)|卡在(?:最高|半空)|河中间|江心|水.{0,4}(?:到腰|到床|没过)|楼.{0,4}塌了半边|整片塌"
    ),
    "120": (
        r"晕(?:倒|在|过去)|昏(?:倒|迷|过去)|叫不(?:答应|醒|应)|没(?:有|了)?(?:呼吸|心跳)|快没气|呼吸停止|抽搐|抽(?:了|起来)|在抽|吐白沫"
        r"|(?:在|还在)流血|血流|流血不止|满脸是血|满头血|头打?破了|吐血|咳(?:出)?血|吐红水|喘不(?:上|过)气|(?:嘴唇|嘴巴|嘴皮).{0,3}(?:发紫|乌|青)"
        r"|上吐下泻|吐的吐|腿是反|断了腿|都?不动了|身子都硬|不哭了|(?:吃|喝)了.{0,4}(?:老鼠药|农药)|开水.{0,4}(?:烫|浇)|抽起来倒|被电倒|都倒了"
    ),
    "122": (
        r"翻车|侧翻|车祸|(?:大巴|客车|货车|罐车|校车).{0,8}翻|四轮朝天"
        r"|(?:司机|师傅).{0,14}(?:喝了?.{0,6}酒|打瞌睡|睡着)|酒驾|连环相撞|蛇行"
    ),
}
_WEAK: dict[Channel, str] = {
    "110": (
        r"打人|推搡|扭打|钢管|锄头|镰刀|扣押|关(?:在|了)|失踪|不见了|没有?回(?:来|家)|尾随|威胁|报警|派出所|警察|公安|民警|110|歹徒|偷|抢"
        r"|堵(?:了|住|在)?(?:马|大|公)?路|围堵|对峙|聚(?:集|众)|几?百(?:多)?(?:号)?人|闹事|往下扔|恶犬|咬(?:伤|穿|了)|农药|跳|投毒|倒了东西|刀|扬言"
    ),
    "119": (
        r"燃起|火光|明火|烟|火星|火花|臭鸡蛋|刺鼻|白雾|泄漏|漏气|卡(?:在|住)|夹(?:在|住)|压(?:在|住|了)|埋|塌|垮|陷|推不开|锁(?:着|死)|消防|119|够不着|救援|救命"
        r"|洪水|涨水|悬|爬上|掉(?:进|到|下)"
    ),
    "120": (
        r"昏|晕|没(?:有|了)?(?:反应|声音)|血|高烧|中毒|骨折|砸(?:到|伤)|烧伤|烫伤|触电|电(?:倒|翻|到|打)|倒(?:在|了)|吐|抽|头破|救护车|120|送医|抢救|医生|喝了"
    ),
    "122": r"追尾|撞车|撞(?:人|倒|飞|翻)|肇事|交警|车翻|122|司机跑|高速|公里碑",
}
PATTERNS = {channel: (re.compile(_STRONG[channel]), re.compile(_WEAK[channel])) for channel in EMERGENCY_CHANNELS}
_NOT_NOW = re.compile(
    r"(?:怕|担心|万一|如果|要是|假如|一旦|防止|避免|以免|免得|预防|容易|差点|险些|去年|前年|上个?月|上(?:周|礼拜)|以前|曾经|当年|早几年|"
    r"\d{4}年|建议|演练|培训|宣传|没有?|不会|会不会|是不是|有没有|不是|莫等)[^，。；！？,;!?\n]{0,10}$"
)
_FRAUD = re.compile(
    r"(?:刚(?:刚|才)?|分钟前|小时前|今天|今早|今晚)[^。！？\n]{0,24}(?:被骗|转(?:走|出|账|了)|汇款)|被骗[^。！？\n]{0,20}(?:刚|分钟前|小时前)"
)
_STOP_PAYMENT = re.compile(r"止付|冻结|反诈|拦截|追回")
_ARBITRATION = re.compile(r"劳动仲裁|仲裁(?:院|委|裁决|庭|申请|开庭|立案)|申请仲裁|先仲裁")
_RECONSIDERATION = re.compile(r"(?:行政)?复议(?:申请|期|机关|决定)|申请(?:行政)?复议|行政复议")
_BY_DEPARTMENT: dict[str, Channel] = {"court": "litigation", "discipline": "discipline", "petition": "petition"}
DEPARTMENT_AT = 0.8
"""Probability of the lead department from which its channel is named."""


def find_transfers(letter: Letter, probabilities: Mapping[str, npt.NDArray[Any]], taxonomy: Taxonomy) -> list[Transfer]:
    """Channels that must get the letter, emergencies first; empty for nearly every letter.

    Args:
        probabilities: calibrated probabilities of this letter per head.
    """
    found: list[Transfer] = []
    critical = _share(probabilities, taxonomy, "urgency", ("critical",))
    for channel in EMERGENCY_CHANNELS:
        spans: list[Span] = []
        if critical >= CRITICAL_AT:
            strong, weak = (cues(letter, pattern) for pattern in PATTERNS[channel])
            own = _share(probabilities, taxonomy, "department", OWN_DEPARTMENTS[channel])
            score = float(np.dot(list(WEIGHTS.values()), features(critical, strong, weak, own))) + BIAS[channel]
            spans = [*strong, *weak] if score >= _logit(TRANSFER_AT) else []
        if channel == "110" and not spans:
            spans = _fraud(letter)
        if spans:
            found.append(Transfer(label=channel, name=NAMES[channel], evidence=spans[:N_EVIDENCE]))
    return found or _slow_channels(letter, probabilities["department"], taxonomy)


def features(critical: float, strong: list[Span], weak: list[Span], own: float) -> list[float]:
    """What one channel is judged by, in the order of ``WEIGHTS``.

    Args:
        critical: probability of 特急.
        strong, weak: words that name what the channel is for, and words that only fit it.
        own: probability of the departments behind the channel.
    """
    in_title = any(span.field == "title" for span in strong)
    return [_logit(critical), min(2, len(strong)), min(3, len(weak)), float(in_title), _logit(own)]


def _share(
    probabilities: Mapping[str, npt.NDArray[Any]], taxonomy: Taxonomy, head: str, labels: tuple[str, ...]
) -> float:
    ids = taxonomy.ids(head)
    return float(sum(probabilities[head][ids.index(label)] for label in labels if label in ids))


def _logit(p: float) -> float:
    clipped = min(max(p, 0.001), 0.999)
    return math.log(clipped / (1 - clipped))


def transfer_reason(transfer: Transfer) -> Reason:
    """The Chinese sentence for a clerk."""
    words = "、".join(f"“{span.text}”" for span in transfer.evidence)
    words = f"（{words}）" if words else ""
    if transfer.label in EMERGENCY_CHANNELS:
        return Reason(code=f"transfer_{transfer.label}", text=f"疑属{transfer.name}事项{words}，应即时转接")
    return Reason(code=f"transfer_{transfer.label}", text=f"可能属{transfer.name}渠道受理{words}，请核对")


def cues(letter: Letter, pattern: re.Pattern[str]) -> list[Span]:
    """Distinct words of a pattern in clauses that tell what is happening now."""
    spans: dict[str, Span] = {}
    fields: tuple[Literal["title", "body"], ...] = ("title", "body")
    for field in fields:
        text = getattr(letter, field)
        for match in pattern.finditer(text):
            if not _NOT_NOW.search(text, max(0, match.start() - 16), match.start()):
                span = Span(field=field, start=match.start(), end=match.end(), text=match.group())
                spans.setdefault(match.group(), span)
    return list(spans.values())


def _fraud(letter: Letter) -> list[Span]:
    spans = cues(letter, _FRAUD)
    return spans if spans and _STOP_PAYMENT.search(f"{letter.title}\n{letter.body}") else []


def _slow_channels(letter: Letter, departments: npt.NDArray[Any], taxonomy: Taxonomy) -> list[Transfer]:
    by_words: tuple[tuple[Channel, re.Pattern[str]], ...] = (
        ("arbitration", _ARBITRATION),
        ("reconsideration", _RECONSIDERATION),
    )
    for channel, pattern in by_words:
        spans = cues(letter, pattern)
        if spans and spans[0].field == "title":
            return [Transfer(label=channel, name=NAMES[channel], evidence=spans[:N_EVIDENCE])]
    best = int(departments.argmax())
    by_department = _BY_DEPARTMENT.get(taxonomy.heads["department"][best].id)
    if by_department is not None and departments[best] >= DEPARTMENT_AT:
        return [Transfer(label=by_department, name=NAMES[by_department])]
    return []
