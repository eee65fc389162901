"""Working days follow the public calendar, make-up workdays included."""

from datetime import UTC, date, datetime, timedelta

import pytest

from models.case import Letter
from models.deadlines import CalendarError, reply_by
from models.triage import Triage


def test_weekends_do_not_count() -> None:
    assert reply_by(date(2024, 6, 14), 1) == date(2024, 6, 17)


def test_the_national_holiday_of_2024_and_its_make_up_saturday() -> None:
    # 2024-10-01..07 off; Saturday 12 October was a working day
    assert reply_by(date(2024, 9, 30), 5) == date(2024, 10, 12)


def test_a_year_without_a_calendar_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(CalendarError, match="upgrade the package chinesecalendar"):
        reply_by(date(2100, 1, 4), 3)


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2024-06-14T23:59:00+08:00", date(2024, 6, 19)),  # Friday, late evening
        ("2024-06-15T10:00:00+08:00", date(2024, 6, 19)),  # Saturday
        ("2024-06-16T10:00:00+08:00", date(2024, 6, 19)),  # Sunday
        ("2024-06-16T17:30:00+00:00", date(2024, 6, 20)),  # Monday already in the city
        ("2024-06-17T00:10:00", date(2024, 6, 20)),  # no zone: the city's time
    ],
)
def test_the_day_of_receipt_is_the_citys_and_does_not_count(triage: Triage, moment: str, due: date) -> None:
    letter = Letter(title="咨询", body="请问公积金提取需要什么材料？", received_at=datetime.fromisoformat(moment))
    suggestion = triage([letter])[0]
    assert suggestion.request_type.label == "consult"
    assert suggestion.reply_by == due


def test_urgent_letters_say_by_when_they_must_be_acted_on(triage: Triage) -> None:
    moment = datetime(2024, 10, 1, 22, 30, tzinfo=UTC)
    danger = Letter(
        title="楼道燃气味", body="楼道里燃气味特别重，有人晕倒，阀门还在嘶嘶漏气，马上派人！", received_at=moment
    )
    calm = Letter(title="建议", body="建议在公园多放几张长椅，方便老人休息。", received_at=moment)
    first, second = triage([danger, calm])
    assert first.act_by == moment + timedelta(hours=2)
    assert first.act_by.utcoffset() == timedelta(hours=8)
    assert second.act_by is None
    assert triage([danger.model_copy(update={"received_at": None})])[0].act_by is None


@pytest.mark.parametrize(
    "moment", ["2101-01-04T10:00:00+08:00", "9999-12-31T23:59:00+08:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_year_outside_the_calendar_gives_no_date_and_says_so(triage: Triage, moment: str) -> None:
    letter = Letter(title="咨询", body="请问公积金提取需要什么材料？", received_at=datetime.fromisoformat(moment))
    suggestion = triage([letter])[0]
    codes = {reason.code for reason in suggestion.reasons}
    assert codes & {"calendar_unknown", "received_at_impossible"}
    assert (suggestion.reply_by is None) == ("calendar_unknown" in codes)
