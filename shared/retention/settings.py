"""For how many days things are kept."""

from dataclasses import dataclass

from shared.settings import Environment, SettingError, integer

_TEN_YEARS = 3653


@dataclass(frozen=True, slots=True)
class Retention:
    """Days. The outbox is how long a consumer may be away; the inbox is what keeps messages from being
    applied twice, so it is never shorter.
    """

    outbox: int = 30
    inbox: int = 30
    dead_letters: int = 90
    runs: int = 90
    ledger: int = 400


def read_retention(env: Environment) -> Retention:
    """RETENTION_OUTBOX_DAYS and the like; raises SettingError."""
    default = Retention()
    outbox = _days(env, "RETENTION_OUTBOX_DAYS", default.outbox)
    inbox = _days(env, "RETENTION_INBOX_DAYS", max(default.inbox, outbox))
    if inbox < outbox:
        raise SettingError("RETENTION_INBOX_DAYS", f"{inbox} is less than RETENTION_OUTBOX_DAYS, {outbox}")
    return Retention(
        outbox=outbox,
        inbox=inbox,
        dead_letters=_days(env, "RETENTION_DEAD_LETTERS_DAYS", default.dead_letters),
        runs=_days(env, "RETENTION_RUNS_DAYS", default.runs),
        ledger=_days(env, "RETENTION_LEDGER_DAYS", default.ledger),
    )


def _days(env: Environment, name: str, default: int) -> int:
    return integer(env, name, default, 1, _TEN_YEARS)
