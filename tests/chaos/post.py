"""Messages straight on the queue of notifications, as any program could put them there.

Redis may lose what is only there. Whoever injects looks whether it was counted, and puts it there again: the
same message, with the same id.
"""

import json
import random
import threading
import time
from typing import Any

import psycopg2
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from shared.messages import new_id
from shared.testing import example, wait_until
from tests.chaos.actions import DEFAULT_LEAD, iso
from tests.chaos.book import Book, Event, Person, Ticket, Truth
from tests.chaos.databases import Databases
from tests.chaos.house import House

SOURCE = "/soak"
_QUEUE = "notifications"
# Inside the lead time: the order's mail is the reminder.
_STARTS_IN = 5400.0
Envelope = dict[str, Any]


class Post:
    """Makes messages, notes in the book what follows from them, and puts them on the queue."""

    def __init__(self, house: House, databases: Databases, book: Book, seed: int) -> None:
        self._house, self._databases, self._book = house, databases, book
        self._chance = random.Random(f"{seed}/post")
        self._lock = threading.Lock()
        self._unconfirmed: dict[str, Envelope] = {}
        self._app = Celery(broker=house.env["CELERY_BROKER_URL"], set_as_current=False)
        self._app.conf.update(
            task_publish_retry=False,
            broker_transport_options={"socket_timeout": 3, "socket_connect_timeout": 3},
        )
        self._number = 0

    def order(self) -> None:
        """One order that nobody but this message tells of."""
        with self._lock:
            self._send(self._ordered(self._event(), self._person()))

    def same_message(self, times: int) -> None:
        """One order, put on the queue so many times, half of them as bare JSON."""
        with self._lock:
            envelope = self._ordered(self._event(), self._person())
            for _ in range(times):
                self._send(envelope)

    def old_message(self) -> None:
        """An order and an event as an older, or a newer, version would tell of them."""
        with self._lock:
            event, person = self._event(), self._person()
            envelope = self._ordered(event, person)
            for name in ("time", "subject", "dataschema", "sequence"):
                envelope.pop(name, None)
            data = envelope["data"]
            data["event"] = {k: data["event"][k] for k in ("id", "name", "starts_at", "location")}
            data["holder"] = {k: data["holder"][k] for k in ("id", "email")}
            data["seat"], envelope["shard"] = {"row": "A", "number": 7}, 3
            data["event"]["organizer_name"] = "Rina"
            self._send(envelope)

    def story_backwards(self) -> None:
        """An event's versions and its orders, the last first: also a cancelled order before the order."""
        with self._lock:
            event = self._event()
            stays, leaves = self._person(), self._person()
            story = [self._told(event, 1), self._ordered(event, stays), self._ordered(event, leaves)]
            gone = self._book.tickets[story[-1]["data"]["ticket"]["id"]]
            gone.gone_asked = gone.gone = self._house.now()
            for version, place in ((2, "Balai Kota"), (3, "Monas")):
                now = self._house.now()
                event.truths.append(Truth(now, event.truth.starts_at + 600, place, answered=now))
                story.append(self._told(event, version))
            story.append(self._cancelled(gone))
            for envelope in reversed(story):
                self._send(envelope)

    def confirm(self, seconds: float = 90.0) -> None:
        """Returns when notifications has counted every message; those that Redis lost are put there again."""

        def counted() -> bool:
            with self._lock:
                waiting = dict(self._unconfirmed)
                if not waiting:
                    return True
                try:
                    found = self._databases.rows(
                        "notifications",
                        "SELECT id FROM inbox WHERE source = %s AND id = ANY(%s)",
                        [SOURCE, list(waiting)],
                    )
                except psycopg2.Error:
                    return False
                for (id_,) in found:
                    del self._unconfirmed[id_]
                if time.monotonic() > again[0]:
                    again[0] = time.monotonic() + 5
                    for envelope in list(self._unconfirmed.values()):
                        self._send(envelope)
                return not self._unconfirmed

        again = [time.monotonic() + 3]
        wait_until(counted, "what was put on the queue is counted", seconds, 0.2)

    def _send(self, envelope: Envelope) -> None:
        self._unconfirmed[envelope["id"]] = envelope
        try:
            if self._chance.random() < 0.5:
                self._app.send_task(envelope["type"], args=[envelope], queue=_QUEUE)
            else:
                client = self._house.redis()
                client.lpush(_QUEUE, json.dumps(envelope))
                client.close()
        except (redis.RedisError, OperationalError, OSError):
            pass  # confirm() puts it there again

    def _id(self, what: str) -> str:
        self._number += 1
        return f"soak-{what}-{self._number}"

    def _event(self) -> Event:
        now = self._house.now()
        truth = Truth(now, float(int(now + _STARTS_IN)), "Taman Menteng", answered=now)
        event = Event(self._id("event"), "Straight", "", (DEFAULT_LEAD,), [truth], injected=True)
        self._book.add_event(event)
        return event

    def _person(self) -> Person:
        id_, now = self._id("person"), self._house.now()
        person = Person(id_, id_, [(f"{id_}@dicoevent.example", now, now)], injected=True)
        self._book.add_person(person)
        return person

    def _ordered(self, event: Event, person: Person) -> Envelope:
        envelope = self._envelope("ticket.ordered", 1)
        data, now = envelope["data"], self._house.now()
        ticket = Ticket(self._id("ticket"), f"C{self._number:09}", person.id, event.id, now, now)
        self._book.add_ticket(ticket)
        envelope["subject"] = ticket.id
        data["ticket"].update(id=ticket.id, code=ticket.code)
        data["holder"].update(id=person.id, email=person.addresses[0][0], locale="en", version=1)
        data["event"] = self._data(event, 1)
        return envelope

    def _told(self, event: Event, version: int) -> Envelope:
        envelope = self._envelope("event.scheduled" if version == 1 else "event.updated", version)
        envelope.update(subject=event.id, data=self._data(event, version))
        return envelope

    def _data(self, event: Event, version: int) -> dict[str, Any]:
        truth = event.truths[version - 1]
        data: dict[str, Any] = {"id": event.id, "version": version, "name": event.name, "timezone": "UTC"}
        return data | {"starts_at": iso(truth.starts_at), "location": truth.location, "status": "scheduled"}

    def _cancelled(self, ticket: Ticket) -> Envelope:
        envelope = self._envelope("ticket.cancelled", 2)
        data = {"ticket_id": ticket.id, "event_id": ticket.event_id, "holder_id": ticket.user_id}
        envelope.update(subject=ticket.id, data=data)
        return envelope

    def _envelope(self, message_type: str, sequence: int) -> Envelope:
        now = iso(self._house.now() - self._house.offset)
        envelope = example(message_type, id=new_id(), source=SOURCE, sequence=sequence, time=now)
        for name in ("feedposition", "feedepoch"):
            envelope.pop(name, None)
        return envelope
