"""The bytes of a delivery: the same for all its attempts once a copy may be out there."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from services.notifications.mail.compiled import CompiledMail, hole
from services.notifications.mail.render import language, message_id, render
from services.notifications.mail.smtp import wire_address
from services.notifications.model import Claim
from services.notifications.schedule import remaining_minutes

# Of one event there are as many as languages and minutes between its first and its last mail.
_KEPT = 256


@dataclass(slots=True)
class Composer:
    """Composes mails from templates that are compiled once for each event, kind, language and minute."""

    sender: str
    envelope_sender: str = field(init=False)
    _compiled: OrderedDict[tuple, CompiledMail] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.envelope_sender = parseaddr(self.sender)[1]

    def compose(self, claim: Claim) -> tuple[str, bytes]:
        """(address for RCPT, the mail); raises ValueError for what cannot be written."""
        address = wire_address(claim.address)
        values = {
            "name": claim.name,
            "address": address,
            "message_id": message_id(claim, self.sender),
            "date": format_datetime(claim.composed_at),
            "codes": ", ".join(claim.codes),
        }
        return address, self._template(claim).fill(values)

    def _template(self, claim: Claim) -> CompiledMail:
        worded_at = claim.worded_at or claim.composed_at
        minutes = remaining_minutes(claim.starts_at, worded_at)
        key = (
            claim.event_id,
            claim.content_version,
            claim.kind,
            claim.starts_at,
            language(claim.locale),
            minutes,
        )
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = CompiledMail.of(_master(claim, self.sender))
            if len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(key)
        return found


def _master(claim: Claim, sender: str) -> EmailMessage:
    worded_at = claim.worded_at or claim.composed_at
    mail = render(replace(claim, name=hole("name"), address="x@x.example", composed_at=worded_at), sender)
    for name, place in (("To", "to"), ("Date", "date"), ("Message-ID", "message_id")):
        del mail[name]
        mail[name] = hole(place)
    return mail
