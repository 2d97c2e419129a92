"""What a spam filter thinks of our mails, by its own rules and without the network."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.tests.unit.test_model import CLAIM

pytestmark = pytest.mark.skipif(
    shutil.which("spamassassin") is None, reason="spamassassin is absent: apt-get install spamassassin"
)
RECEIVED = (
    b"Received: from mail.dicoevent.example (mail.dicoevent.example [9.9.9.9])\r\n"
    b"\tby mx.example.org (Postfix) with ESMTPS id ABC\r\n\tfor <h@dicoevent.example>; "
)
COMPOSER = Composer(
    "DicoEvent <reminders@dicoevent.example>", LinkBase("https://tickets.dicoevent.example", "secret")
)


@pytest.mark.parametrize("locale", ["en", "id"])
def test_a_reminder_scores_below_half_a_point(locale: str) -> None:
    now = datetime.now(UTC)
    start = now + timedelta(hours=2)
    claim = replace(
        CLAIM, locale=locale, composed_at=now, starts_at=start, codes=("K7WQ2M9XPA",), confirms="t"
    )
    _, mail = COMPOSER.compose(claim)
    date = re.search(rb"^Date: (.*)$", mail, re.M)
    assert date is not None
    report = subprocess.run(
        ["spamassassin", "-L", "-t", "-x"],
        input=RECEIVED + date[1].strip() + b"\r\n" + mail,
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout.decode("utf-8", "replace")
    status = re.search(r"score=(-?[\d.]+)", report)
    assert status is not None, report[:2000]
    assert float(status[1]) < 0.5, report[report.find("Content analysis") :][:2000]
