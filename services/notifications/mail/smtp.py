"""One connection to a mail server (RFC 5321), step by step: what a break means depends on the step."""

import smtplib
import ssl
from email.utils import parseaddr

from services.notifications.errors import MailServerAway
from services.notifications.model import Answer
from services.notifications.settings import MailSettings


class SmtpConnection:
    """Opened when it is first needed, and kept. Not for several threads at once."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._smtp: smtplib.SMTP | None = None

    def open(self) -> None:
        """Makes sure that the server is there; raises MailServerAway with what it said."""
        if self._smtp is not None:
            if self._alive(self._smtp):
                return
            self.close()
        try:
            self._smtp = self._connect()
        except smtplib.SMTPResponseException as error:
            raise MailServerAway(f"{error.smtp_code} {_text(error.smtp_error)}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise MailServerAway(f"{type(error).__name__}: {error}") from None

    def send(self, mail: bytes, address: str) -> Answer:
        """Hands one mail over. Never raises: a broken connection is an answer too."""
        assert self._smtp is not None, "open() comes first"
        try:
            return self._transact(self._smtp, mail, address)
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Answer(421, f"{type(error).__name__}: {error}")

    def _transact(self, smtp: smtplib.SMTP, mail: bytes, address: str) -> Answer:
        options = [] if address.isascii() else ["SMTPUTF8"]
        if options and not smtp.has_extn("smtputf8"):
            return Answer(553, "the server does not take addresses that are not ASCII (RFC 6531)")
        sender = parseaddr(self._settings.sender)[1]
        steps = (lambda: smtp.mail(sender, options), lambda: smtp.rcpt(address), lambda: smtp.docmd("DATA"))
        for step in steps:
            code, text = step()
            if code >= 400:
                smtp.rset()
                return Answer(code, _text(text))
        return self._data(smtp, _payload(mail))

    def _data(self, smtp: smtplib.SMTP, payload: bytes) -> Answer:
        # From here on a break means that nobody knows (RFC 1047).
        try:
            smtp.send(payload + b".\r\n")
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Answer(0, f"the connection broke after DATA: {error}")
        return Answer(code, _text(text))

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        timeout = settings.timeout_seconds
        context = ssl.create_default_context()
        smtp: smtplib.SMTP
        if settings.security == "tls":
            smtp = smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout, context=context)
        else:
            smtp = smtplib.SMTP(settings.host, settings.port, timeout=timeout)
        try:
            if settings.security == "starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if settings.user:
                smtp.login(settings.user, settings.password)
        except (OSError, smtplib.SMTPException):
            smtp.close()
            raise
        return smtp

    @staticmethod
    def _alive(smtp: smtplib.SMTP) -> bool:
        try:
            return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def close(self) -> None:
        """Ends the connection; the next open() makes a new one."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _payload(data: bytes) -> bytes:
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    # RFC 5321 4.5.2: a line that begins with a dot gets a second one.
    return (b"." + data if data.startswith(b".") else data).replace(b"\r\n.", b"\r\n..")


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
