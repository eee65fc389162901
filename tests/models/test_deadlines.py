"""Working days follow the public calendar, make-up workdays included."""

from datetime import date

import pytest

from models.deadlines import CalendarError, reply_by


def test_weekends_do_not_count() -> None:
    assert reply_by(date(2024, 6, 14), 1) == date(2024, 6, 17)


def test_the_national_holiday_of_2024_and_its_make_up_saturday() -> None:
    # 2024-10-01..07 off; Saturday 12 October was a working day
    assert reply_by(date(2024, 9, 30), 5) == date(2024, 10, 12)


def test_a_year_without_a_calendar_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(CalendarError, match="upgrade the package chinesecalendar"):
        reply_by(date(2100, 1, 4), 3)
