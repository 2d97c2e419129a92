"""Whether every service agrees with its publishers, and all of them with the book."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.book import NEVER, Book
from tests.chaos.databases import READS, Databases

_SHOWN = 5
_FOREIGN = "soak-%"  # what was put straight on the queue has no owner to agree with


def disagreements(databases: Databases) -> list[str]:
    """Where a copy says something else than its owner, a message was not counted, or a seat sold twice."""
    return [
        *_users(databases),
        *_events(databases),
        *_holders(databases),
        *_inboxes(databases),
        *_seats(databases),
    ]


def _users(databases: Databases) -> Iterable[str]:
    query = "SELECT id, version, username, email FROM users"
    owned = {id_: tuple(rest) for id_, *rest in databases.rows("accounts", query)}
    copies = databases.rows("events", "SELECT id, sequence, username FROM users WHERE NOT deleted")
    yield from _differ("users in events", {k: v[:2] for k, v in owned.items()}, _by_id(copies))
    copies = databases.rows("tickets", "SELECT id, sequence, username, email FROM users WHERE NOT deleted")
    yield from _differ("users in tickets", owned, _by_id(copies))
    query = "SELECT id, sequence, email FROM holders WHERE NOT deleted AND id NOT LIKE %s"
    copies = databases.rows("notifications", query, [_FOREIGN])
    yield from _differ("users in notifications", {k: (v[0], v[2]) for k, v in owned.items()}, _by_id(copies))


def _events(databases: Databases) -> Iterable[str]:
    columns = "name, location, timezone, starts_at, status, organizer_id"
    owned = _by_id(databases.rows("events", f"SELECT id, version, {columns} FROM events"))
    for copy in ("tickets", "notifications"):
        query = f"SELECT id, sequence, {columns} FROM events WHERE NOT deleted AND id NOT LIKE %s"
        yield from _differ(f"events in {copy}", owned, _by_id(databases.rows(copy, query, [_FOREIGN])))


def _holders(databases: Databases) -> Iterable[str]:
    query = "SELECT id, event_id, user_id FROM orders WHERE status IN ('registered', 'checked_in')"
    owned = _by_id(databases.rows("tickets", query))
    query = "SELECT id, event_id, holder_id FROM tickets WHERE active AND id NOT LIKE %s"
    yield from _differ(
        "holders in notifications", owned, _by_id(databases.rows("notifications", query, [_FOREIGN]))
    )


def _inboxes(databases: Databases) -> Iterable[str]:
    for consumer, publishers in READS.items():
        heads = {
            row[0]: row[1:]
            for row in databases.rows(consumer, "SELECT source, epoch, position FROM feed_cursors")
        }
        for publisher in publishers:
            [head] = databases.rows(publisher, "SELECT epoch, head FROM outbox_feed")
            if heads.get(f"/{publisher}") != head:
                yield f"{consumer} read {publisher} up to {heads.get(f'/{publisher}')}, its head is {head}"
            written = {row[0] for row in databases.rows(publisher, "SELECT id FROM outbox")}
            query = "SELECT id FROM inbox WHERE source = %s"
            counted = {row[0] for row in databases.rows(consumer, query, [f"/{publisher}"])}
            if written != counted:
                yield (
                    f"inbox of {consumer}: {len(written - counted)} messages of {publisher} were not counted,"
                    f" {len(counted - written)} are not its own"
                )
        if dead := databases.rows(consumer, "SELECT reason FROM dead_letters"):
            yield f"{consumer} has {len(dead)} dead letters: {dead[0][0]}"


def _seats(databases: Databases) -> Iterable[str]:
    taken = Counter(
        dict(
            databases.rows(
                "tickets",
                "SELECT event_id, count(*) FROM orders WHERE status IN ('registered', 'checked_in')"
                " GROUP BY event_id",
            )
        )
    )
    for id_, sold, quota in databases.rows("tickets", "SELECT id, sold, quota FROM events"):
        if sold != taken[id_] or (quota is not None and sold > quota):
            yield f"event {id_}: {taken[id_]} seats are taken, {sold} are counted as sold, {quota} are there"


def forgotten(databases: Databases, book: Book) -> list[str]:
    """What was acknowledged and its owner does not know (any more)."""
    users = dict(databases.rows("accounts", "SELECT id, email FROM users"))
    orders = dict(databases.rows("tickets", "SELECT id, status FROM orders"))
    payments = {row[0] for row in databases.rows("tickets", "SELECT id FROM payments")}
    query = "SELECT id, extract(epoch FROM starts_at)::float, location, status = 'cancelled' FROM events"
    events = _by_id(databases.rows("events", query))
    problems = [f"payment {id_} is gone" for id_ in book.payments - payments]
    for person in book.people.values():
        if not person.injected and users.get(person.id) != person.addresses[-1][0]:
            problems.append(f"user {person.id} has the address {users.get(person.id)}")
    for ticket in book.tickets.values():
        event = book.events[ticket.event_id]
        wanted = (None, "cancelled") if ticket.gone != NEVER else ("registered",)
        if not event.injected and orders.get(ticket.id) not in wanted:
            problems.append(f"order {ticket.id} is {orders.get(ticket.id)}, not {wanted[-1]}")
    for event in book.events.values():
        truth = event.truth
        if not event.injected and events.get(event.id) != (truth.starts_at, truth.location, truth.off):
            problems.append(f"event {event.id} is {events.get(event.id)}, not {truth}")
    return problems


def _by_id(rows: Iterable[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in rows}


def _differ(what: str, owned: Mapping[str, Any], copied: Mapping[str, Any]) -> Iterable[str]:
    wrong = sorted(k for k in owned.keys() | copied.keys() if owned.get(k) != copied.get(k))
    for id_ in wrong[:_SHOWN]:
        yield f"{what}: {id_} is {copied.get(id_)}, its owner says {owned.get(id_)}"
    if len(wrong) > _SHOWN:
        yield f"{what}: {len(wrong)} differ in all"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What notifications has on record of its deliveries: id -> (state, attempts, kind, reason)."""

    rows: Mapping[int, tuple[str, int, str, str]]

    @classmethod
    def read(cls, databases: Databases) -> "Ledger":
        query = "SELECT id, state, attempts, kind, reason FROM deliveries"
        return cls({row[0]: row[1:] for row in databases.rows("notifications", query)})

    def disagreements(self, copies: Mapping[int, int]) -> list[str]:
        """Where it and the mail server (delivery -> copies, read after it) say different things."""
        problems = []
        for id_, (state, attempts, kind, reason) in self.rows.items():
            came = copies.get(id_, 0)
            if state in ("failed", "expired", "unknown"):
                problems.append(f"delivery {id_} ({kind}) is {state}: {reason}")
            elif state == "accepted" and not 1 <= came <= attempts:
                problems.append(
                    f"delivery {id_} ({kind}) is accepted after {attempts} attempts, and came {came} times"
                )
        newest = max(self.rows, default=0)
        strangers = [id_ for id_ in copies if id_ <= newest and id_ not in self.rows]
        return problems + [f"a mail of delivery {id_}, which the ledger does not have" for id_ in strangers]
