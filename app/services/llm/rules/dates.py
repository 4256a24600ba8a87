"""The day of a transaction: dates found in any notation, the one that the message names as its day chosen."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

# The first letters of month names, folded; the longest that fits decides. Where two languages disagree on a
# short form ("mar" is March and Italian "mar" is Tuesday), the month stands beside digits and so is meant.
_STEMS = """
1 jan ene gen januar led sty ianuarie oca tammi
2 feb fev fevr un lut sub helmi febr
3 mar maer marz brez mrt mrz maalis mars
4 apr abr avr dub kwi huhti nis
5 may mai mag kve kvet maj mei touko mayis
6 jun juin giu cerven cer cvn czer kesa haz
7 jul juil lug cervenec cvc lip heina tem
8 aug ago aou srp sie elo agu
9 sep set zar wrz syys eyl
10 oct okt out ott rij paz loka eki
11 nov lis marras kas
12 dec dic dez pro gru joulu ara
"""
_MONTHS = {stem: int(line.split()[0]) for line in _STEMS.strip().split("\n") for stem in line.split()[1:]}
_MONTH_NAME = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")[a-z]*\.?"
_DATE = re.compile(
    r"(?<![\d/.,:-])(?:"
    r"(?P<y1>(?:19|20)\d\d)[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})"
    r"|(?P<y2>20\d\d) ?[年년] ?(?P<m2>\d{1,2}) ?[月월] ?(?P<d2>\d{1,2}) ?[日일]"
    r"|(?P<a>\d{1,2})(?P<mark>[-/.]) ?(?P<b>\d{1,2})(?P=mark) ?(?P<y3>(?:20|19)?\d\d)(?!\d)"
    rf"|(?P<d4>\d{{1,2}})(?:st|nd|rd|th|\."
    rf"|er)?[ /-]*(?:de )?(?<![a-z])(?P<n4>{_MONTH_NAME})[ ,/-]*(?:de )?(?P<y4>(?:20|19)?\d\d)?(?![\d:])"
    rf"|(?<![a-z])(?P<n5>{_MONTH_NAME}) (?P<d5>\d{{1,2}})(?:st|nd|rd"
    rf"|th)?,?(?: (?P<y5>20\d\d))?(?![\d:.,]\d|\d)"
    r")"
)
_GOOD_LABEL = re.compile(
    r"(?<![a-z])(transaction date|date of (purchase|transaction|payment|order|credit|debit)|(purchase"
    r"|payment|order|paid|billing"
    r"|invoice|value|booking|issue)d? ?(date|on)|placed on|paid on|charged on|purchased|issued"
    r"|date( and time| time|/time)?\s*:?\s*$"
    r"|fecha|dne\b|dna\b|datum|le\b|data (operazione|transakcji|da compra|transazione)?|date\s*:|on\b"
    r"|el\b|am\b|il\b|em\b)"
    r"|日時|利用日|注文日|取引日|お支払い?日|日期"
)
_BAD_LABEL = re.compile(
    r"(?<![a-z])(depart|arriv|check-?(in|out)|renew|due|expir|expected|estimat|deliver|valid|until"
    r"|before|from:|return"
    r"|flight|next|trip|period|statement|ends?|begin|start|birth|since|copyright|vencimiento|fallig"
    r"|gultig|platnost|lieferung)"
    r"|期限|予定|指定日"
)
_WORD = re.compile(r"[^\W\d_]{2}")
_WEEKDAY = re.compile(
    r"(?<![a-z])(?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|mie|jeu|jue|ven|vie|sam|sab|dim|dom|gio|mo"
    r"|di|mi|do|fr|sa|so)[a-z]{0,8}"
    r"[,.]?\s*$"
)
_OLDEST = dt.timedelta(days=400)
_AHEAD = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date and where it stands in the folded text."""

    day: dt.date
    start: int
    end: int


def find_dates(folded: str, sent: dt.date | None) -> list[FoundDate]:
    """Every date of the text; what its notation leaves open is settled by what is nearest to ``sent``."""
    found = []
    for match in _DATE.finditer(folded):
        day = _nearest(_readings(match.groupdict(), sent), sent)
        if day is not None:
            found.append(FoundDate(day, match.start(), match.end()))
    return found


def transaction_day(folded: str, sent: dt.date | None, sentence: str = "") -> dt.date | None:
    """The day of the transaction as the message gives it, else the day it was sent.

    A date in the ``sentence`` that states the movement decides; then one with a fitting label; then the first
    near the day of sending. Dates in the future (flights, renewals) and long ago are none.
    """
    found = [one for one in find_dates(folded, sent) if _is_plausible(one.day, sent)]
    place = folded.find(sentence) if sentence else -1
    if place >= 0:
        inside = [one for one in found if place <= one.start < place + len(sentence)]
        if inside:
            return inside[0].day
    labelled = [one for one in found if _label_score(folded, one) > 0]
    if labelled:
        return labelled[0].day
    near = [
        one for one in found if sent and abs((one.day - sent).days) <= 3 and _label_score(folded, one) == 0
    ]
    return near[0].day if near else sent


def _label_score(folded: str, found: FoundDate) -> int:
    """1 for a date that is labelled as the day of the transaction, -1 as another day, else 0."""
    line_start = folded.rfind("\n", 0, found.start) + 1
    label = folded[max(line_start, found.start - 60) : found.start]
    if not _WORD.search(_WEEKDAY.sub("", label)):
        above_start = folded.rfind("\n", 0, max(0, line_start - 1)) + 1
        label = folded[max(above_start, line_start - 60) : found.start]
    label = _WEEKDAY.sub("", label).rstrip(" ,\n")
    if _BAD_LABEL.search(label[-40:]):
        return -1
    return 1 if _GOOD_LABEL.search(label[-40:]) else 0


def _is_plausible(day: dt.date, sent: dt.date | None) -> bool:
    return sent is None or -_AHEAD <= sent - day <= _OLDEST


def _readings(parts: dict[str, str | None], sent: dt.date | None) -> list[dt.date]:
    """Every calendar day that the matched digits can mean."""
    if parts["a"]:
        year = _year(parts["y3"], sent)
        pairs = {(parts["a"], parts["b"]), (parts["b"], parts["a"])}
        if parts["mark"] == ".":
            pairs = {(parts["a"], parts["b"])}  # only countries that put the day first write dots
        return [day for d, m in sorted(pairs, key=str) for y in year if (day := _day(y, m, d))]
    for number in "12":
        if parts[f"y{number}"]:
            found = _day(int(parts[f"y{number}"] or 0), parts[f"m{number}"], parts[f"d{number}"])
            return [found] if found else []
    number = "4" if parts["n4"] else "5"
    month = _month(parts[f"n{number}"] or "")
    years = _year(parts[f"y{number}"], sent)
    return [day for y in years if month and (day := _day(y, str(month), parts[f"d{number}"]))]


def _year(text: str | None, sent: dt.date | None) -> list[int]:
    if text is None:
        return [sent.year - 1, sent.year, sent.year + 1] if sent else []
    return [int(text) + 2000 if len(text) == 2 else int(text)]


def _month(name: str) -> int | None:
    return next((_MONTHS[name[:size]] for size in range(len(name), 1, -1) if name[:size] in _MONTHS), None)


def _day(year: int, month: str | None, day: str | None) -> dt.date | None:
    try:
        return dt.date(year, int(month or 0), int(day or 0))
    except ValueError:
        return None


def _nearest(days: list[dt.date], sent: dt.date | None) -> dt.date | None:
    if not days or sent is None:
        return days[0] if days else None
    return min(days, key=lambda day: abs((day - sent).days))
