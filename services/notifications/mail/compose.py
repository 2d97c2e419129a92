"""The bytes of a delivery: the same for all its attempts once a copy may be out there."""

from base64 import b64encode
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr

from services.notifications.mail.compiled import CompiledMail
from services.notifications.mail.render import ContentKey, LinkBase, content_key, master, values
from services.notifications.mail.samples import Sample, mark, sample_of
from services.notifications.mail.smtp import wire_address
from services.notifications.model import Claim, Kind

# Of one event there are as many as languages and minutes between its first and its last mail.
_KEPT = 256


@dataclass(slots=True)
class Composer:
    """Composes mails from templates that are compiled once for each event, kind, language and minute."""

    sender: str
    links: LinkBase
    envelope_sender: str = field(init=False)
    _compiled: OrderedDict[ContentKey, CompiledMail] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.envelope_sender = parseaddr(self.sender)[1]

    def compose(self, claim: Claim) -> tuple[str, bytes]:
        """(address for RCPT, the mail); raises ValueError for what cannot be written."""
        address = wire_address(claim.address)
        test = claim.subject_id if claim.kind == Kind.TEST else ""
        if test:
            claim = sample_of(claim, Sample.read(test))
            compiled = CompiledMail.of(master(claim, self.sender, mark(test)))
            return address, compiled.fill({**values(claim, self.sender, self.links), "address": address})
        words = values(claim, self.sender, self.links)
        words["address"] = address
        return address, self._template(claim).fill(words)

    def _template(self, claim: Claim) -> CompiledMail:
        key = content_key(claim)
        found = self._compiled.get(key)
        if found is None:
            found = CompiledMail.of(master(claim, self.sender))
            # One person's own, with a picture of his ticket's code, is of no use to anybody else.
            if not key.ticket:
                self._keep(key, found)
        else:
            self._compiled.move_to_end(key)
        return found

    def _keep(self, key: ContentKey, compiled: CompiledMail) -> None:
        self._compiled[key] = compiled
        if len(self._compiled) > _KEPT:
            self._compiled.popitem(last=False)


def show(composer: Composer, claim: Claim, sample: Sample) -> dict[str, str]:
    """A mail as its reader sees it: subject, text, and HTML with the picture in it."""
    subject_id = sample.write("preview")
    _, raw = composer.compose(replace(claim, kind=Kind.TEST, subject_id=subject_id))
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    bodies = {}
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None, "every mail has both"
        bodies[kind] = part.get_content().replace("\r\n", "\n")
    for part in mail.walk():
        if part.get_content_type() == "image/png":
            picture = b64encode(part.get_content()).decode()
            bodies["html"] = bodies["html"].replace("cid:ticket-qr", f"data:image/png;base64,{picture}")
    subject = str(mail["Subject"]).removeprefix(mark(subject_id))
    return {"subject": subject, "text": bodies["plain"], "html": bodies["html"]}
