"""What follows from a mail server's answer (RFC 5321 4.2, RFC 3463); pure."""

import re
from datetime import datetime, timedelta
from enum import Enum, auto

from services.notifications.model import Answer, Claim, Result, State

RETRY_MINUTES = (1, 2, 5, 10, 20)
# A last attempt shortly before a mail becomes useless is better than none.
_LAST_MOMENT = timedelta(seconds=30)
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# RFC 3463 3.2: the recipient's address is wrong. 5.1.7 and 5.1.8 blame our own, 5.1.0 may blame either.
_NO_SUCH_ADDRESS = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"))
_THROTTLING = re.compile(
    r"throttl|rate.?limit|too (many|fast)|slow(ing)? down|(sending|message|connection) (rate|limit)", re.I
)


class Strain(Enum):
    """What an answer says about the relay itself. CLOSE: this connection is over, and all go slower."""

    NONE = auto()
    SLOW = auto()
    CLOSE = auto()


def enhanced_code(answer: Answer) -> str:
    """The enhanced status code (`5.1.1`) that an answer begins with, or ''."""
    found = _ENHANCED.match(answer.text)
    return found.group(1) if found else ""


def strain(answer: Answer) -> Strain:
    """Whether the relay should be spared: 421 closes, 454 and words of throttling slow."""
    if answer.code == 421:
        return Strain.CLOSE
    if answer.code == 454 or (400 <= answer.code < 500 and _THROTTLING.search(answer.text)):
        return Strain.SLOW
    return Strain.NONE


def decide(answer: Answer, claim: Claim, now: datetime, max_attempts: int, resend_unknown: bool) -> Result:
    """The next state of a delivery after an answer; retries end when its mail would be useless."""
    if answer.accepted:
        return Result(State.ACCEPTED, None, answer)
    if answer.untried:
        return Result(State.RETRY, now, answer)
    if answer.permanent:
        code = enhanced_code(answer)
        return Result(
            State.FAILED, None, answer, suppress=code in _NO_SUCH_ADDRESS, pause=code.startswith("5.7.")
        )
    if answer.unknown and not resend_unknown:
        return Result(State.UNKNOWN, None, answer)
    attempt = claim.attempts + 1
    if attempt >= max_attempts:
        return Result(State.FAILED, None, answer)
    end = claim.useless_after or claim.starts_at
    at = now + backoff(attempt, claim.id)
    if at >= end:
        at = end - _LAST_MOMENT
        if at < now + _LAST_MOMENT:
            return Result(State.EXPIRED, None, answer)
    return Result(State.RETRY, at, answer)


def backoff(attempt: int, spread: int) -> timedelta:
    """1, 2, 5, 10, 20 min, then every 20, each up to a quarter longer: they must not all come at once."""
    minutes = RETRY_MINUTES[min(attempt, len(RETRY_MINUTES)) - 1]
    jitter = (spread * 2654435761 + attempt * 40503) % 1000 / 4000
    return timedelta(minutes=minutes * (1 + jitter))
