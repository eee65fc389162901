"""The answer-by date: legal working days with public holidays and make-up workdays (调休)."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar


class CalendarError(ValueError):
    """The State Council's calendar for that year is not known to the installed ``chinesecalendar``."""


def reply_by(received: date, working_days: int) -> date:
    """The last day to answer: ``working_days`` working days after the day of receipt.

    Raises:
        CalendarError: the calendar does not cover a day on the way; upgrade ``chinesecalendar``.
    """
    day, left = received, working_days
    while left:
        day += timedelta(days=1)
        try:
            left -= chinese_calendar.is_workday(day)
        except NotImplementedError:
            raise CalendarError(
                f"no holiday calendar for {day.year}: upgrade the package chinesecalendar once the "
                "State Council has published that year"
            ) from None
    return day
