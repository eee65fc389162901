"""When a letter must be answered and acted on: legal working days with 调休, and hours for urgent matters.

Both are counted from the moment of receipt in the city's time: a letter of 23:30 UTC is tomorrow's. A
moment without a time zone is read as the city's time. The day of receipt never counts, so a letter that
arrives on a weekend or at 23:59 is due like one that arrived that day's morning. Hours are hours of the
clock: they run through nights and holidays.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

CITY_TIME = ZoneInfo("Asia/Shanghai")


class CalendarError(ValueError):
    """The State Council's calendar for that year is not known to the installed ``chinesecalendar``."""


def city_time(moment: datetime) -> datetime:
    """The moment in the city's time zone; one without a zone is taken to be the city's already.

    Raises:
        CalendarError: the moment lies beyond what a date can hold.
    """
    try:
        return moment.astimezone(CITY_TIME) if moment.tzinfo else moment.replace(tzinfo=CITY_TIME)
    except OverflowError:
        raise CalendarError(f"year {moment.year} is no real year of receipt; correct received_at") from None


def reply_by(received: date, working_days: int) -> date:
    """The last day to answer: ``working_days`` working days after the day of receipt.

    Raises:
        CalendarError: the calendar does not cover a day on the way; upgrade ``chinesecalendar``.
        ValueError: fewer than one working day.
    """
    if working_days < 1:
        raise ValueError(f"working_days must be at least 1, not {working_days}")
    day, left = received, working_days
    while left:
        try:
            day += timedelta(days=1)
            left -= chinese_calendar.is_workday(day)
        except (NotImplementedError, OverflowError):
            raise CalendarError(
                f"no holiday calendar for {day.year}: upgrade the package chinesecalendar once the "
                "State Council has published that year"
            ) from None
    return day


def act_by(received: datetime, hours: float) -> datetime:
    """The moment by which an urgent letter must be acted on, in the city's time.

    Raises:
        CalendarError: the moment lies beyond what a date can hold.
    """
    try:
        return city_time(received) + timedelta(hours=hours)
    except OverflowError:
        raise CalendarError(f"year {received.year} is no real year of receipt; correct received_at") from None
