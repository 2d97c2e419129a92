"""What people do, each noted in the book when the system has acknowledged it."""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.book import NEVER, Book, Event, Person, Ticket, Truth
from tests.chaos.caller import Caller
from tests.chaos.house import House
from tests.e2e.client import PASSWORD

DEFAULT_LEAD = 7200.0
# Lead times of an event in minutes, None for the default; short ones are due within the soak too.
_LEADS: tuple[tuple[int, ...] | None, ...] = (
    None,
    None,
    None,
    (120,),
    (121, 120),
    (1440, 120),
    (122, 121, 120),
)
_PLACES = ("Kota Tua", "Gedung Kesenian", "Taman Menteng", "Balai Kota", "Monas")


def iso(moment: float) -> str:
    """A moment as the API takes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


@dataclass
class Actor:
    """One client among several. `staff` is the organizer of every event."""

    house: House
    book: Book
    caller: Caller
    chance: random.Random
    staff: Person

    def register(self) -> Person | None:
        """A new person, signed in."""
        name, asked = f"p{uuid.UUID(int=self.chance.getrandbits(128), version=4).hex[:14]}", self.house.now()
        address = f"{name}@dicoevent.example"
        answer = self.caller.ask(
            "POST", "/api/users/",
            username=name, password=PASSWORD, email=address, locale=self.chance.choice(("en", "id")),
        )  # fmt: skip
        # A repeated registration that says "taken" is our own, of which the answer was lost.
        if answer.status_code != 201 and self.caller.first:
            return self._refused()
        token = self.caller.sign_in(name)
        person = Person("", name, [(address, asked, self.house.now())], token)
        if not token:
            return self._refused()
        person.id = _subject(token)
        self.book.add_person(person)
        return person

    def schedule(self) -> Event | None:
        """A new event whose reminders fall due soon, with a ticket type."""
        start = self.soon()
        leads = self.chance.choice(_LEADS)
        truth = Truth(self.house.now(), start, self.chance.choice(_PLACES))
        name = f"Jazz {uuid.UUID(int=self.chance.getrandbits(128), version=4).hex[:12]}"
        quota = self.chance.choice((6, 50, 1000))
        body = {"name": name, "start_time": iso(start), "location": truth.location, "quota": quota}
        body |= {"status": "scheduled", "timezone": "Asia/Jakarta"}
        if leads is not None:
            body["reminders"] = list(leads)
        answer = self.caller.ask("POST", "/api/events/", self.staff, **body)
        if answer.status_code != 201 or not self.caller.first:
            # A repeated one may be there twice: nobody orders for it, so it does not matter.
            return self._refused()
        event_id = answer.json()["id"]
        key = f"type-{event_id}"
        made = self.caller.ask(
            "POST", "/api/tickets/", self.staff, key, event_id=event_id, name="Reguler", price=10, quota=quota
        )
        if made.status_code != 201:
            return self._refused()
        truth.answered = self.house.now()
        seconds = tuple(60.0 * m for m in leads) if leads is not None else (DEFAULT_LEAD,)
        event = Event(event_id, name, made.json()["id"], seconds, [truth], quota)
        self.book.add_event(event)
        return event

    def soon(self) -> float:
        """A start whose reminder is due in a few seconds up to two minutes."""
        return float(int(self.house.now() + DEFAULT_LEAD) + self.chance.randint(5, 120))

    def order(self, person: Person, event: Event) -> Ticket | None:
        """One ticket; the key makes a repeated order one."""
        asked, key = self.house.now(), str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        answer = self.caller.ask("POST", "/api/registrations/", person, key, ticket_id=event.type_id)
        if answer.status_code != 201:
            event.refused += 1
            return self._refused()
        body = answer.json()
        ticket = Ticket(body["id"], body["code"], person.id, event.id, asked, self.house.now())
        self.book.add_ticket(ticket)
        return ticket

    def pay(self, ticket: Ticket) -> None:
        """The desk notes that a ticket is paid."""
        answer = self.caller.ask(
            "POST", "/api/payments/", self.staff, f"pay-{ticket.id}",
            registration_id=ticket.id, payment_method="cash", payment_status="completed", amount_paid=10,
        )  # fmt: skip
        if answer.status_code != 201:
            self._refused()
            return
        with self.book.lock:
            self.book.payments.add(answer.json()["id"])
        ticket.paid = True

    def give_back(self, ticket: Ticket) -> None:
        """The holder, or the desk, cancels a ticket."""
        person = self.book.people[ticket.user_id]
        ticket.gone_asked = self.house.now()
        path = f"/api/registrations/{ticket.id}/"
        if self.chance.random() < 0.5:
            answer = self.caller.ask("DELETE", path, person)
            done = answer.status_code == 204 or (answer.status_code == 404 and not self.caller.first)
        else:
            answer = self.caller.ask("PATCH", path, self.staff, status="cancelled")
            done = answer.status_code == 200
        if done:
            ticket.gone = self.house.now()
        else:
            ticket.gone_asked = NEVER
            self._refused()

    def move(self, event: Event) -> None:
        """Another start, another place, or both; sometimes one that it had before."""
        starts_at, location = event.truth.starts_at, event.truth.location
        what = self.chance.random()
        if what < 0.7:
            before = [t.starts_at for t in event.truths]
            starts_at = self.chance.choice(before) if self.chance.random() < 0.2 else self.soon()
        if what > 0.4:
            location = self.chance.choice(_PLACES)
        self._change(event, Truth(self.house.now(), starts_at, location, event.truth.off))

    def call_off(self, event: Event) -> None:
        """Cancels an event, or lets a cancelled one take place after all."""
        now = event.truth
        self._change(event, Truth(self.house.now(), now.starts_at, now.location, not now.off))

    def _change(self, event: Event, truth: Truth) -> None:
        status = "cancelled" if truth.off else "scheduled"
        path = f"/api/events/{event.id}/"
        with self.book.changing(event, truth):
            answer = self.caller.ask(
                "PATCH", path, self.staff,
                start_time=iso(truth.starts_at), location=truth.location, status=status,
            )  # fmt: skip
            if answer.status_code != 200:
                self._refused()
                return
            truth.answered = self.house.now()
        seen = self.caller.ask("GET", path).json()
        told = (datetime.fromisoformat(seen["start_time"]).timestamp(), seen["location"], seen["status"])
        if told != (truth.starts_at, truth.location, status):
            self.book.tell(f"event {event.id} was read as {told} after it was changed to {truth}")

    def change_address(self, person: Person) -> None:
        """Mail goes to another address from now on."""
        address = f"{person.username}.{len(person.addresses)}@dicoevent.example"
        self.book.add_address(person, address, self.house.now())
        answer = self.caller.ask("PATCH", f"/api/users/{person.id}/", person, email=address)
        _, asked, _ = person.addresses[-1]
        if answer.status_code == 200:
            person.addresses[-1] = (address, asked, self.house.now())
        else:
            person.addresses.pop()
            self._refused()

    def _refused(self) -> None:
        self.book.count("refused")


def _subject(token: str) -> str:
    import jwt

    return str(jwt.decode(token, options={"verify_signature": False})["sub"])
