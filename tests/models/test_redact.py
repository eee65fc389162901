"""What must disappear from a letter, and the numbers that must stay. All numbers are made up."""

from __future__ import annotations

import time

import pytest

from models.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("请回电13800138000谢谢", "请回电【手机号】谢谢"),
        ("请回电 138 0013 8000。", "请回电 【手机号】。"),
        ("138-0013-8000", "【手机号】"),
        ("+86 13800138000，+8613800138000", "【手机号】，【手机号】"),
        ("tel13800138000", "tel【手机号】"),
        ("微信同号：１３８００１３８０００", "微信同号：【手机号】"),
        ("①13800138000②13900139000", "①【手机号】②【手机号】"),
        ("13800138000、13900139000", "【手机号】、【手机号】"),
        ("物业028-87654321，12345没人接", "物业【固定电话】，12345没人接"),
        ("（028）87654321转802", "【固定电话】"),
        ("028 8765 4321", "【固定电话】"),
        ("+86-28-87654321", "【固定电话】"),
        ("0816-2345678", "【固定电话】"),
        ("联系电话：87654321。", "联系电话：【固定电话】。"),
        ("座机是8765-4321", "座机是【固定电话】"),
        ("身份证51010419900307123X号", "身份证【身份证号】号"),
        ("510104 19900307 1234", "【身份证号】"),
        ("卡号6222021234567890128", "卡号【银行卡号】"),
        ("4111 1111 1111 1111", "【银行卡号】"),
        ("写信到zhang.san＠example．com吧", "写信到【邮箱】吧"),
        ("13800138000@example.com", "【邮箱】"),
        ("车牌川A·12345乱停", "车牌【车牌号】乱停"),
        ("川A12345、川AD12345、川A·D12345、川A12345F", "【车牌号】、【车牌号】、【车牌号】、【车牌号】"),
        ("川Ａ１２３４５堵门", "【车牌号】堵门"),
        ("川a1b2c3", "【车牌号】"),
        ("川A1234学", "【车牌号】"),
    ],
)
def test_personal_data_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "双瑞一路188号3栋2单元1501",
        "2026年11月24日9:30",
        "2019-2026年",
        "订单号202611240001",  # 12 digits
        "订单号138001380001",  # 12 digits that begin like a mobile number
        "订单号012345678901",  # 12 digits that begin like an area code
        "工单2026112400123456",  # 16 digits, no card begins with 2026
        "流水号4111111111111112",  # fails the Luhn check
        "编号510104199013991234",  # 18 digits without a birthday
        "拨打12345和110、400-123-4567",
        "电话2026年起打不通",
        "补偿12800000元",
        "蜀ICP备12345678号",
        "京东、新ABCDE、青A区",
        "K线G0512路口、S4川A段",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert redact(text) == text


def test_full_width_text_around_stays_full_width() -> None:
    assert redact("（Ａ区）１２３号，１３８００１３８０００") == "（Ａ区）１２３号，【手机号】"


def test_redaction_is_idempotent() -> None:
    once = redact("电话：87654321，川A12345，13800138000，028-87654321")
    assert redact(once) == once


def test_redaction_stays_linear_on_hostile_text() -> None:
    started = time.perf_counter()
    for part in ("1", "a.", "a@", "川A", "1 ", "028-"):
        redact(part * (20_000 // len(part)))
    assert time.perf_counter() - started < 5
