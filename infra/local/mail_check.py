"""Sends one test mail with the mail settings and says in words what the server answered."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr

from infra.local.chosen import tool_environment
from services.notifications.errors import MailServerAway
from services.notifications.mail.smtp import send_one, wire_address
from services.notifications.model import Answer
from services.notifications.settings import MailSettings, read_mail
from shared.settings import SettingError


def main(arguments: Sequence[str]) -> int:
    """0 when the server took the mail, 1 and the reason when not."""
    parser = argparse.ArgumentParser(prog="scripts/send-test-mail", description=__doc__)
    parser.add_argument("address", metavar="ADDRESS")
    address = parser.parse_args(arguments).address
    try:
        settings = read_mail(tool_environment())
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    where = f"{settings.host}:{settings.port} ({settings.security})"
    try:
        mail = make_test_mail(settings, address).as_bytes()
        sender = parseaddr(settings.sender)[1]
        answer = asyncio.run(send_one(settings, sender, wire_address(address), mail))
    except (MailServerAway, ValueError) as error:
        sys.stderr.write(f"No mail can be handed to {where}: {error}\n")
        return 1
    (sys.stdout if answer.accepted else sys.stderr).write(f"{where}: {in_words(answer)}\n")
    return 0 if answer.accepted else 1


def make_test_mail(settings: MailSettings, address: str) -> EmailMessage:
    """The mail that is sent."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = "DicoEvent test mail"
    mail["From"] = settings.sender
    mail["To"] = address
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2].rstrip(">"))
    mail.set_content("This mail shows that the mail settings of DicoEvent work.\n")
    return mail


def in_words(answer: Answer) -> str:
    """What an SMTP reply code means (RFC 5321 4.2.1), with the server's own words."""
    said = f"{answer.code} {answer.text}"
    if answer.accepted:
        return f"the server took the mail: {said}"
    if answer.unknown:
        return f"the connection broke before the server had answered: {answer.text}"
    if answer.code in (530, 535):
        return f"the server wants another MAIL_USER or MAIL_PASSWORD: {said}"
    if answer.permanent:
        return f"the server refuses the mail for good: {said}"
    return f"the server cannot take the mail now, a later attempt may succeed: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
