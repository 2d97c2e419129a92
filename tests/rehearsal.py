"""Plays the mail life of two events on the real system with a moved clock, and says whether it was right.

Orders, a move, downtime over the due time, a relay that refuses one mail for a while, an order at the last
hour, a cancellation. The system runs in a folder of its own; time travels by starting it with another
CLOCK_OFFSET_SECONDS. Prints who got what, when and why; exit code 0 if everybody got exactly what he should.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from shared.testing import RecordingMailServer, wait_until
from tests.e2e.client import make_event, must, order
from tests.e2e.conftest import Installation

SETTLE_SECONDS = 2
HOUR = timedelta(hours=1)
# What each person should have got in the end, in order: the beginnings of the subjects.
EXPECTED = {
    "ana": ["Your ticket for ", "Moved: ", "Reminder: "],
    "budi": ["Tiket Anda untuk ", "Dipindahkan: ", "Pengingat: "],
    "cici": ["Your ticket for ", "Moved: ", "Reminder: "],
    "late": ["Reminder: ", "Cancelled: "],
}


class Rehearsal:
    """The system, its mail server, and what was seen."""

    def __init__(self, home: Path, server: RecordingMailServer) -> None:
        self.system = Installation(home)
        self.server = server
        self.offset = timedelta(0)
        self.people: dict[str, tuple[str, Any]] = {}
        self._seen = 0

    def say(self, text: str) -> None:
        """A line of the timeline, with the time of the play."""
        now = datetime.now(UTC) + self.offset
        sys.stdout.write(f"{now:%d %b %H:%M:%S}  {text}\n")
        sys.stdout.flush()

    def up(self) -> None:
        """Starts the system at the play's time."""
        result = self.system.run(
            "infra.local",
            "up",
            "--detach",
            CLOCK_OFFSET_SECONDS=str(int(self.offset.total_seconds())),
            NOTICE_SETTLE_SECONDS=str(SETTLE_SECONDS),
            MAIL_HOST="127.0.0.1",
            MAIL_PORT=str(self.server.port),
            MAIL_SECURITY="none",
        )
        if result.returncode:
            raise AssertionError(result.stdout + result.stderr)

    def travel(self, to: datetime) -> None:
        """Stops the system, lets the clock run, and starts it again."""
        self.say("the system goes down")
        self.system.down()
        self.offset = to - datetime.now(UTC)
        self.up()
        self.say("the system is up again")

    def person(self, name: str, locale: str = "en") -> Any:
        """A new person with a short name in this play."""
        address, client = self.system.new_user(locale=locale)
        self.people[name] = (address, client)
        return client

    def mails(self, name: str) -> list[str]:
        """The subjects that somebody got, in order."""
        address = self.people[name][0]
        return [str(m["Subject"]) for m in self.server.mails if m["To"].addresses[0].addr_spec == address]

    def wait(self, name: str, count: int) -> None:
        """Waits until somebody has so many mails, and tells what came."""
        wait_until(lambda: len(self.mails(name)) >= count, f"{name} has {count} mails", 60)
        self.tell()

    def tell(self) -> None:
        """Tells of the mails that came since the last time."""
        names = {address: name for name, (address, _) in self.people.items()}
        mails: list[EmailMessage] = self.server.mails[self._seen :]
        self._seen += len(mails)
        for mail in mails:
            name = names.get(mail["To"].addresses[0].addr_spec, "?")
            self.say(f"  mail to {name:5} {mail['Subject']}")


def play(stage: Rehearsal) -> list[str]:
    """The play; returns what went wrong."""
    stage.say("the system starts")
    stage.up()
    _, boss = stage.system.new_user("organizer")
    jazz = make_event(boss, 4 * HOUR, name="Malam Jazz", timezone="Asia/Jakarta")
    start = datetime.now(UTC).replace(microsecond=0) + 5 * HOUR
    stage.say("an event in four hours; Ana, Budi and Cici order: each order is confirmed")
    for name, locale in (("ana", "en"), ("budi", "id"), ("cici", "en")):
        order(stage.person(name, locale), jazz)
        stage.wait(name, 1)
    stage.say("the organizer moves it by an hour and to another place: one notice each")
    must(boss.patch(f"/api/events/{jazz['id']}/", json={"start_time": start.isoformat()}), 200)
    must(boss.patch(f"/api/events/{jazz['id']}/", json={"location": "Gedung Kesenian"}), 200)
    for name in ("ana", "budi", "cici"):
        stage.wait(name, 2)
    stage.say("everything is down while the reminders are due; the relay refuses Cici's mail for now")
    stage.server.answers[stage.people["cici"][0]] = "451 4.3.2 try again later"
    stage.travel(start - 1.5 * HOUR)
    for name in ("ana", "budi"):
        stage.wait(name, 3)
    wait_until(lambda: states(stage, jazz).get("retry") == 1, "Cici's reminder waits", 60)
    stage.say("Cici's reminder waits for another attempt")
    talk = make_event(boss, stage.offset + HOUR, name="Night Talk")
    stage.say("somebody orders an hour before another event: confirmation and reminder are one mail")
    order(stage.person("late"), talk)
    stage.wait("late", 1)
    stage.say("that event is cancelled: reminders stop, its holder is told at once")
    must(boss.patch(f"/api/events/{talk['id']}/", json={"status": "cancelled"}), 200)
    stage.wait("late", 2)
    stage.server.answers.clear()
    stage.travel(start - 1.4 * HOUR)
    stage.wait("cici", 3)
    stage.say("the relay took Cici's reminder")
    wait_until(lambda: set(states(stage, jazz)) <= {"accepted", "suppressed"}, "nothing waits", 60)
    story(stage, jazz)
    return verdict(stage)


def states(stage: Rehearsal, event: dict[str, Any]) -> dict[str, int]:
    """How many mails of an event are in which state."""
    root = stage.system.as_user("root")
    return must(root.get(f"/api/notifications/events/{event['id']}/"), 200)["counts"]


def story(stage: Rehearsal, event: dict[str, Any]) -> None:
    """What the ledger says of each mail, and why."""
    ledger = must(stage.system.as_user("root").get(f"/api/notifications/events/{event['id']}/"), 200)
    names = {address: name for name, (address, _) in stage.people.items()}
    sys.stdout.write("\nThe ledger:\n")
    for mail in ledger["deliveries"]:
        tried = "".join(f"; before: {attempt['answer']}" for attempt in mail["history"])
        why = mail["reason"] or mail["answer"]
        sys.stdout.write(
            f"  {mail['kind']:12} {names.get(mail['address'], '-'):5} due {mail['due_at'][11:19]}"
            f"  {mail['state']:10} {why}{tried}\n"
        )


def verdict(stage: Rehearsal) -> list[str]:
    """Who got something else than he should."""
    wrong = []
    for name, expected in EXPECTED.items():
        got = stage.mails(name)
        matching = len(got) == len(expected) and all(map(str.startswith, got, expected))
        if not matching:
            wrong.append(f"{name} should have got {expected}, and got {got}")
    late = [subject for subject in stage.mails("ana") if subject.startswith("Reminder")]
    if late and "1 hour 30 minutes" not in late[0] and "1 hour 29 minutes" not in late[0]:
        wrong.append(f"the late reminder does not say what time is left: {late[0]}")
    return wrong


def main() -> int:
    """Plays once; returns the exit code."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="dicoevent-rehearsal-", ignore_cleanup_errors=True) as folder,
        RecordingMailServer() as server,
    ):
        Path(folder).chmod(0o755)
        stage = Rehearsal(Path(folder) / "home", server)
        try:
            wrong = play(stage)
        except AssertionError as error:
            stage.tell()
            wrong = [str(error)]
        finally:
            stage.system.down()
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s. ")
    if wrong:
        sys.stdout.write("WRONG:\n" + "".join(f"  {line}\n" for line in wrong))
        return 1
    sys.stdout.write("RIGHT: everybody got exactly what he should, once.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
