"""Times and names in the holder's language."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from services.notifications.mail.compiled import one_line

TEMPLATES = Path(__file__).parent / "templates"
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


@lru_cache(maxsize=32)
def phrases(lang: str, *kinds: str) -> dict[str, str]:
    """What mails of these kinds say, from templates/words: the last one has the last word."""
    file = tomllib.loads((TEMPLATES / "words" / f"{lang}.toml").read_text(encoding="utf-8"))
    common = {name: text for name, text in file.items() if isinstance(text, str)}
    return common | {name: text for kind in kinds for name, text in file[kind].items()}


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
    if short[:1] in "+-":
        short = f"{local:%z}"[:5]  # Babel says -0430 for -03:30
    return f"{day_and_time(starts_at, timezone, lang)} ({timezone}, {short})"


def day_and_time(starts_at: datetime, timezone: str, lang: str) -> str:
    """`Friday, 27 November 2026, 19:30` where the event is."""
    from babel.dates import format_datetime

    return format_datetime(starts_at.astimezone(ZoneInfo(timezone)), "EEEE, d MMMM y, HH:mm", locale=lang)


def short(text: str, limit: int = 200) -> str:
    """A text in one line of at most `limit` characters: a line break in a header would begin another one."""
    clean = one_line(text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


# What a character costs in HTML above its own octet, and a line end that becomes <br>.
_ESCAPED = {"&": 4, "<": 3, ">": 3, '"': 5, "'": 5, "=": 2, "\n": 5}


def octets_of(text: str) -> int:
    """How many octets a text takes in a mail at most: escaped for HTML and in quoted-printable."""
    plain = len(text) if text.isascii() else sum(1 if c.isascii() else 3 * len(c.encode()) for c in text)
    return plain + sum(extra * text.count(character) for character, extra in _ESCAPED.items())


def fitting(text: str, octets: int) -> str:
    """A text that takes at most so many octets in a mail, with … where something is left out."""
    if octets_of(text) <= octets:
        return text
    spent, kept = octets_of("…"), 0
    for character in text:
        spent += octets_of(character)
        if spent > octets:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def listed(codes: Sequence[str], octets: int) -> str:
    """Tickets in one line, as many as fit: `AB12 (Balcony), CD34`, or `AB12 (Balcony) … +7`."""
    clean = [_ticket(code) for code in codes if code]
    line = ", ".join(clean)
    # No character takes more than twelve octets.
    if len(line) <= octets // 12 or octets_of(line) <= octets:
        return line
    spent, kept = octets_of(" … +9999"), 0
    for code in clean:
        spent += octets_of(code) + 2
        if spent > octets:
            break
        kept += 1
    return f"{', '.join(clean[:kept])} … +{len(clean) - kept}"


def _ticket(code: str) -> str:
    code, _, name = code.partition("\t")
    return f"{short(code, 64)} ({short(name, 64)})" if name else short(code, 64)
