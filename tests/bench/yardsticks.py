"""What the sending loop is measured beside: smtp-source, and the plain way; both send the same mail as we."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from redis import Redis

from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.model import Claim
from shared.testing import wait_until
from tests.bench.parts import Parts, process

NAME, PLACE = "Malam Jazz di Kota Tua", "Taman Fatahillah, Jakarta"
SOURCE_SESSIONS = 32
_SOURCE_MAILS = 20000


def reminder() -> bytes:
    """The mail that a recipient of this measurement gets: text, HTML, .ics."""
    now = datetime.now(UTC)
    claim = Claim(
        id=12345,
        fence=1,
        event_id="e1",
        holder_id="h12345",
        kind="reminder",
        starts_at=now + timedelta(hours=2),
        composed_at=now,
        address="h12345@dicoevent.example",
        name="Sari Dewi 12345",
        locale="en",
        event_name=NAME,
        location=PLACE,
        timezone="Asia/Jakarta",
        attempts=0,
        codes=("CODE12345",),
        content_version=1,
    )
    links = LinkBase("http://127.0.0.1:8000", "bench-bench-bench-bench-bench-bench")
    return Composer("DicoEvent <reminders@dicoevent.example>", links).compose(claim)[1]


def smtp_source(port: int) -> float:
    """Mails a second of smtp-source with mails as long as ours; 0 when it is not installed."""
    found = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if not found:
        return 0.0
    options = {"-s": SOURCE_SESSIONS, "-m": _SOURCE_MAILS, "-l": len(reminder())}
    given = [str(word) for option in options.items() for word in option]
    begun = time.monotonic()
    subprocess.run([found, "-d", *given, f"127.0.0.1:{port}"], check=True, timeout=300)
    return _SOURCE_MAILS / (time.monotonic() - begun)


def plain_way(parts: Parts, port: int, recipients: int) -> float:
    """Mails a second of a Celery task that builds an EmailMessage and calls smtplib for each."""
    from tests.bench.plain import app

    mail = message_from_bytes(reminder(), policy=default)
    assert isinstance(mail, EmailMessage)
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    calendar = next(mail.iter_attachments())
    bodies = [part.get_content() for part in (text, html, calendar)]
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.plain", "worker", "--pool", "solo"]
    client = Redis.from_url(parts.redis_url)
    client.delete("plain.seconds")
    os.environ["CELERY_BROKER_URL"] = parts.redis_url
    with process(command, parts.environment(PYTHONPATH="."), parts.home / "plain.log"):
        app.conf.broker_url = parts.redis_url
        app.send_task("plain.remind", (port, recipients, *bodies))
        wait_until(lambda: client.get("plain.seconds"), "the plain way is done", 600)
    return recipients / float(client.get("plain.seconds") or 0)
