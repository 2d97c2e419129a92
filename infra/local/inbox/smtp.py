"""Takes every mail for everybody."""

from typing import Any

from aiosmtpd.smtp import SMTP

from infra.local.inbox.mailbox import Mailbox

SIZE_LIMIT = 25 * 1024 * 1024


class Taker:
    """aiosmtpd's handler: a mail is in the mailbox before its 250."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        mail = self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        return f"250 2.0.0 Ok: queued as {mail.id}"


def make_session(mailbox: Mailbox) -> SMTP:
    """The protocol of one connection."""
    return SMTP(
        Taker(mailbox), data_size_limit=SIZE_LIMIT, enable_SMTPUTF8=True, hostname="inbox", ident="inbox"
    )
