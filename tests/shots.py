"""Pictures of every mail in Chromium, at 320 and 800 pixels, light and dark: to be looked at.

.venv/bin/python -m tests.shots FOLDER        needs `chromium` on the PATH (apt-get install chromium)
"""

import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from services.notifications.mail.compose import Composer
from services.notifications.mail.render import LinkBase
from services.notifications.model import Claim, Content

NOW = datetime(2030, 11, 27, 10, 30, tzinfo=UTC)
CLAIM = Claim(
    id=7,
    fence=1,
    event_id="e1",
    holder_id="h1",
    kind="reminder",
    starts_at=NOW + timedelta(hours=2),
    composed_at=NOW,
    address="sari@dicoevent.example",
    name="Sari Dewi",
    locale="en",
    event_name="Malam Jazz di Kota Tua",
    location="Taman Fatahillah, Jakarta",
    timezone="Asia/Jakarta",
    attempts=0,
    codes=("K7WQ2M9XPA\tBalcony", "R3TT8HJ2LN\tParterre"),
    content_version=3,
    organizer_id="o1",
    note="Doors open an hour before.\nBring your ID.",
)
KNOWN = Content(2, "Malam Jazz", "Gedung Kesenian, Jakarta", "Asia/Jakarta", NOW + timedelta(hours=1))
MAILS = {
    "reminder": CLAIM,
    "reminder-of-an-order": replace(CLAIM, confirms="t1"),
    "confirmation": replace(CLAIM, kind="confirmation", subject_id="t1", codes=CLAIM.codes[:1]),
    "moved": replace(CLAIM, kind="moved", known=KNOWN),
    "new-place": replace(CLAIM, kind="moved", known=replace(KNOWN, starts_at=CLAIM.starts_at)),
    "takes-place": replace(CLAIM, kind="moved", known=replace(KNOWN, status="cancelled")),
    "cancelled": replace(CLAIM, kind="cancelled", known=KNOWN),
    "long": replace(
        CLAIM,
        event_name="Malamjazzdikotatua" * 9,
        location="Taman " * 60,
        note="w" * 400,
        codes=tuple(f"K7WQ2M{n:04}" for n in range(200)),
    ),
}
# In pixels: what a picture shows.
HEIGHT, LONG_HEIGHT = 1000, 4000
SENDER, LINKS = "DicoEvent <reminders@dicoevent.example>", LinkBase("http://127.0.0.1:8000", "secret")


def html_of(claim: Claim) -> str:
    """A mail's HTML, its picture in it."""
    # One for each: a composer keeps what it made of an event's version, and these differ under one version.
    mail = message_from_bytes(Composer(SENDER, LINKS).compose(claim)[1], policy=default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("html",))
    assert body is not None
    html = body.get_content()
    for part in mail.walk():
        if part.get_content_type() == "image/png":
            data = b64encode(part.get_content()).decode()
            html = html.replace("cid:ticket-qr", f"data:image/png;base64,{data}")
    return html


def shoot(html: str, picture: Path, width: int, height: int, dark: bool) -> None:
    """One picture of a page. Chromium's window is never narrower than 500: a frame is."""
    page = picture.with_suffix(".html")
    inner = picture.with_suffix(".mail.html")
    inner.write_text(html, encoding="utf-8")
    page.write_text(
        f'<html style="color-scheme:{"dark" if dark else "light"}"><body style="margin:0">'
        f'<iframe src="{inner.name}" style="border:0;width:{width}px;height:{height}px"></iframe>',
        encoding="utf-8",
    )
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--allow-file-access-from-files", scheme, f"--window-size={max(width, 500)},{height}",
        f"--screenshot={picture}", page.absolute().as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    page.unlink()
    inner.unlink()


def main(arguments: list[str]) -> int:
    """Makes all pictures; returns the exit code."""
    if len(arguments) != 1 or shutil.which("chromium") is None:
        sys.stderr.write(__doc__ or "")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, claim in MAILS.items():
        for lang in ("en", "id"):
            html = html_of(replace(claim, locale=lang))
            for width in (320, 800):
                for dark in (False, True):
                    picture = folder / f"{name}-{lang}-{width}-{'dark' if dark else 'light'}.png"
                    shoot(html, picture, width, LONG_HEIGHT if name == "long" else HEIGHT, dark)
                    sys.stdout.write(f"{picture}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
