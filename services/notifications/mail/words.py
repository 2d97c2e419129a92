"""Times and names in the holder's language."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.notifications.mail.compiled import one_line

LANGUAGES = ("en", "id")
_NUMBERS = {
    "en": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "id": ("satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan", "sepuluh"),
}
_UNITS = {"en": ("hour", "hours", "minute", "minutes"), "id": ("jam", "jam", "menit", "menit")}
NAMELESS = {"en": "your event", "id": "acara Anda"}


@lru_cache(maxsize=256)
def language(locale: str) -> str:
    """`id` for Indonesian locales (`in` is its old code), `en` for all others."""
    return "id" if locale.replace("_", "-").split("-")[0].lower() in ("id", "in") else "en"


def words_for(minutes: int, lang: str) -> str:
    """A time in words: `two hours`, `1 hour 35 minutes`, `dua jam`."""
    hour, hours, minute, minutes_word = _UNITS[lang]
    whole, rest = divmod(max(1, minutes), 60)
    if not rest and whole <= len(_NUMBERS[lang]):
        return f"{_NUMBERS[lang][whole - 1]} {hour if whole == 1 else hours}"
    days, whole = divmod(whole, 24)
    parts = []
    if days:
        parts.append(f"{days} {'hari' if lang == 'id' else 'day' if days == 1 else 'days'}")
    if whole:
        parts.append(f"{whole} {hour if whole == 1 else hours}")
    if rest and not days:
        parts.append(f"{rest} {minute if rest == 1 else minutes_word}")
    return " ".join(parts)


def start_in_words(starts_at: datetime, timezone: str, lang: str) -> str:
    """The start where the event is: `Friday, 27 November 2026, 19:30 (Asia/Jakarta, WIB)`."""
    from babel.dates import get_timezone_name

    local = starts_at.astimezone(ZoneInfo(timezone))
    short = get_timezone_name(local, width="short", locale=lang)
    return f"{day_and_time(starts_at, timezone, lang)} ({timezone}, {short})"


def day_and_time(starts_at: datetime, timezone: str, lang: str) -> str:
    """`Friday, 27 November 2026, 19:30` where the event is."""
    from babel.dates import format_datetime

    return format_datetime(starts_at.astimezone(ZoneInfo(timezone)), "EEEE, d MMMM y, HH:mm", locale=lang)


def short(text: str, limit: int = 200) -> str:
    """A text in one line of at most `limit` characters: a line break in a header would begin another one."""
    clean = one_line(text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
