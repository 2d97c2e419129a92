"""The plain way: one Celery task that builds an EmailMessage and calls smtplib for each recipient."""

import os
import smtplib
import time
from email.message import EmailMessage

from celery import Celery
from redis import Redis

app = Celery("plain", broker=os.environ.get("CELERY_BROKER_URL"))


@app.task(name="plain.remind")
def remind(port: int, recipients: int, text: str, html: str, calendar: str) -> None:
    """Sends them the whole reminder one after the other, each over a connection of its own."""
    begun = time.monotonic()
    for n in range(recipients):
        mail = EmailMessage()
        mail["Subject"] = "Reminder: Malam Jazz di Kota Tua starts in two hours"
        mail["From"] = "DicoEvent <reminders@dicoevent.example>"
        mail["To"] = f"Sari Dewi {n} <h{n}@dicoevent.example>"
        mail.set_content(text)
        mail.add_alternative(html, subtype="html")
        mail.add_attachment(calendar, subtype="calendar", filename="event.ics")
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.send_message(mail)
    Redis.from_url(os.environ["CELERY_BROKER_URL"]).set("plain.seconds", time.monotonic() - begun)
