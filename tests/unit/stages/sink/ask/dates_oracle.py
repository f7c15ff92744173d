#!/usr/bin/env python3
"""What Python's calendar and zoneinfo say about times in questions: "NOW ZONE FROM TO question" lines, times in ms.

The argument seeds the choice of presents, zones and phrases.
"""
import calendar
import datetime
import random
import sys
import zoneinfo

CASES = 3000
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo",
         "Pacific/Apia", "Asia/Beirut", "Africa/Cairo", "America/St_Johns"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]
ONE = datetime.timedelta(days=1)


def begin(day, zone):
    """The first instant of a day: the earliest whose local date is that day."""
    midnight = datetime.datetime(day.year, day.month, day.day, tzinfo=zone)
    at = int(midnight.timestamp())
    # A day without a midnight: the clock jumps over it. Zone offsets change at whole minutes in these years.
    local = datetime.datetime.fromtimestamp(at, zone)
    if local.replace(tzinfo=None) != midnight.replace(tzinfo=None):
        at -= 3 * 3600
        while datetime.datetime.fromtimestamp(at, zone).date() < day:
            at += 60
    return at * 1000


def month(year, number):
    while number < 1:
        year, number = year - 1, number + 12
    return datetime.date(year, number, 1), datetime.date(year, number, calendar.monthrange(year, number)[1])


def phrase(rng, today):
    """A phrase and its first and last day."""
    kind = rng.randrange(14)
    n = rng.randrange(1, 40)
    day = rng.randrange(7)
    monday = today - ONE * today.weekday()
    if kind == 0:
        return "today", today, today
    if kind == 1:
        return "yesterday", today - ONE, today - ONE
    if kind == 2:
        back = (today.weekday() - day - 1) % 7 + 1
        return "last " + DAYS[day], today - ONE * back, today - ONE * back
    if kind == 3:
        back = (today.weekday() - day) % 7
        return "on " + DAYS[day], today - ONE * back, today - ONE * back
    if kind == 4:
        return "this week", monday, monday + 6 * ONE
    if kind == 5:
        return "last week", monday - 7 * ONE, monday - ONE
    if kind == 6:
        return ("this month",) + month(today.year, today.month)
    if kind == 7:
        return ("last month",) + month(today.year, today.month - 1)
    if kind == 8:
        return "%d days ago" % n, today - n * ONE, today - n * ONE
    if kind == 9:
        return "in the last %d days" % (n + 1), today - n * ONE, today
    if kind == 10:
        at = today - n * 9 * ONE
        return "on " + at.isoformat(), at, at
    if kind == 11:
        at = today - rng.randrange(300) * ONE
        return "on %d %s" % (at.day, MONTHS[at.month - 1]), at, at
    if kind == 12:
        back = (today.weekday() - day) % 7
        return "since " + DAYS[day], today - ONE * back, today
    first = today - n * ONE
    last = first + rng.randrange(30) * ONE
    return "between %s and %s" % (first.isoformat(), last.isoformat()), first, last


def main():
    rng = random.Random(int(sys.argv[1]))
    for _ in range(CASES):
        zone_name = rng.choice(ZONES)
        zone = zoneinfo.ZoneInfo(zone_name)
        # Around changes of the clock, too: every hour of twenty years is as likely.
        now = rng.randrange(1420070400, 2051222400)
        today = datetime.datetime.fromtimestamp(now, zone).date()
        text, first, last = phrase(rng, today)
        print(now * 1000, zone_name, begin(first, zone), begin(last + ONE, zone), "incidents " + text)


main()
