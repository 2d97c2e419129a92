"""An old installation is moved over, on a database that this test makes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.importer import __main__ as command
from infra.importer import ledger
from infra.importer.errors import SourceError
from infra.importer.move import Targets, move
from infra.importer.report import Report
from infra.importer.tests.integration.old_dicoevent import PASSWORD, OldDicoEvent
from services.accounts import handlers as accounts
from services.accounts import store as users
from services.accounts import tables as account_tables
from services.accounts.tables import groups
from services.events.tables import events
from services.notifications import bootstrap as notifications
from services.notifications import settings as notifications_settings
from services.notifications.tables import schedules
from services.tickets.tables import events as event_copies
from services.tickets.tables import orders, payments, ticket_types
from shared.messages import parse, read_envelope
from shared.messages.catalogue import TicketOrdered
from shared.outbox.tables import outbox

ZONE = "Asia/Jakarta"


@dataclass
class Ground:
    """The old database and the new ones."""

    old: Engine
    targets: Targets
    said: list[str] = field(default_factory=list)

    def fill(self) -> tuple[OldDicoEvent, Any]:
        begun = self.old.begin()
        return OldDicoEvent(begun.__enter__()), begun

    def run(self, **named: str) -> Report:
        report = Report(self.said.append)
        with self.old.connect() as connection:
            move(connection, self.targets, ZONE, named, report)
        return report

    def messages(self, engine: Engine) -> list[dict[str, Any]]:
        with engine.connect() as connection:
            return list(connection.scalars(sa.select(outbox.c.envelope).order_by(outbox.c.seq)))

    def everything(self) -> list[Any]:
        """All that three services hold, but for what they count themselves."""
        seen: list[Any] = []
        for engine, tables in (
            (self.targets.accounts, (account_tables.users, groups, account_tables.memberships, outbox)),
            (self.targets.events, (events, outbox)),
            (self.targets.tickets, (ticket_types, orders, payments, event_copies, outbox)),
        ):
            with engine.connect() as connection:
                for table in tables:
                    seen += sorted(map(str, connection.execute(sa.select(table))))
        return seen


@pytest.fixture
def ground(make_service_engine: Callable[[str], Engine]) -> Ground:
    targets = Targets(*(make_service_engine(name) for name in ("accounts", "events", "tickets")))
    return Ground(make_service_engine("accounts"), targets)


@dataclass
class World:
    """What the old database holds, by id."""

    rina: UUID
    future: UUID
    past: UUID
    regular: UUID
    orders: list[UUID]
    paid: UUID


def furnish(ground: Ground) -> World:
    old, begun = ground.fill()
    root = old.user("root", is_superuser=True)
    rina = old.user("rina", first_name="Rina", last_name="Wulandari")
    dewi = old.user("dewi", email="Dewi@Example.com")
    old.group(7, "Organizer", rina)
    future, past = old.event(rina, timedelta(days=3)), old.event(root, timedelta(days=-300), quota=1)
    regular, gone = old.ticket(future, quota=1), old.ticket(past, price=0)
    made = [old.registration(regular, rina), old.registration(regular, dewi), old.registration(gone, dewi)]
    paid = old.payment(made[0], "COMPLETED")
    old.payment(made[1], "Pending")
    begun.__exit__(None, None, None)
    return World(rina, future, past, regular, made, paid)


def test_all_of_it_comes_over_with_its_ids_roles_seats_and_payments(ground: Ground) -> None:
    world = furnish(ground)
    report = ground.run()
    assert report.left_out == report.notes == []
    assert {kind: count.written for kind, count in report.counts.items()} == {
        "users": 3, "groups": 1, "memberships": 1, "events": 2, "tickets": 2, "registrations": 3,
        "payments": 2, "posters": 0,
    }  # fmt: skip
    with ground.targets.accounts.connect() as connection:
        rina = users.find_user(connection, str(world.rina))
        assert rina is not None
        assert (rina.username, rina.name) == ("rina", "Rina Wulandari")
        assert users.group_names(connection, rina.id) == ["Organizer"]
        assert users.find_group(connection, 7) == (7, "Organizer")
        assert accounts.knows_password(rina, PASSWORD)
        root = users.find_by_username(connection, "ROOT")
        assert root is not None
        assert root.is_superuser
    with ground.targets.tickets.connect() as connection:
        kind = connection.execute(
            sa.select(ticket_types).where(ticket_types.c.id == str(world.regular))
        ).one()
        # Two were sold of one, in the old system: nobody loses his seat.
        assert (kind.sold, kind.quota) == (2, 1)
        sold = dict(connection.execute(sa.select(event_copies.c.id, event_copies.c.sold)).tuples().all())
        assert sold == {str(world.future): 2, str(world.past): 1}
        paid = dict(connection.execute(sa.select(orders.c.id, orders.c.paid_at.is_not(None))).tuples().all())
        assert paid == {str(world.orders[0]): True, str(world.orders[1]): False, str(world.orders[2]): True}
        statuses = dict(connection.execute(sa.select(payments.c.id, payments.c.status)).tuples().all())
        assert statuses[str(world.paid)] == "completed"
    with ground.targets.events.connect() as connection:
        assert set(connection.scalars(sa.select(events.c.id))) == {str(world.future), str(world.past)}


def test_the_next_group_made_here_does_not_get_an_id_that_came_over(ground: Ground) -> None:
    furnish(ground)
    ground.run()
    with ground.targets.accounts.begin() as connection:
        assert accounts.name_group(connection, "crew") == 8


def test_holders_get_no_confirmation_and_their_reminder_if_the_event_is_still_to_come(
    ground: Ground, make_service_engine: Callable[[str], Engine]
) -> None:
    world = furnish(ground)
    ground.run()
    messages = ground.messages(ground.targets.tickets)
    told = [parse(read_envelope(envelope)) for envelope in messages]
    assert [message.notify for message in told if isinstance(message, TicketOrdered)] == [False] * 3
    engine = make_service_engine("notifications")
    environment = {
        "NOTIFICATIONS_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "SERVICE_TOKEN": "x", "LINK_SECRET": "x" * 40, "ACCOUNTS_URL": "http://a", "EVENTS_URL": "http://e",
        "TICKETS_URL": "http://t", "MAIL_HOST": "localhost", "PUBLIC_URL": "http://p",
    }  # fmt: skip
    receiver = notifications.make_receiver(engine, notifications_settings.read_settings(environment))
    for envelope in messages:
        receiver.receive(envelope)
    with engine.connect() as connection:
        query = sa.select(schedules.c.state, schedules.c.due_at, schedules.c.starts_at)
        row = connection.execute(query.where(schedules.c.event_id == str(world.future))).one()
    assert (row.state, row.starts_at - row.due_at) == ("pending", timedelta(hours=2))


def test_a_second_run_changes_nothing_and_says_so(ground: Ground) -> None:
    furnish(ground)
    ground.run()
    before = ground.everything()
    report = ground.run()
    assert ground.everything() == before
    assert {(count.written, count.left_out) for count in report.counts.values()} == {(0, 0)}
    assert report.of("registrations").before == 3


def test_what_was_deleted_here_since_then_does_not_come_back(ground: Ground) -> None:
    world = furnish(ground)
    ground.run()
    with ground.targets.accounts.begin() as connection:
        users.remove_user(connection, str(world.rina))
    assert ground.run().of("users").before == 3
    with ground.targets.accounts.connect() as connection:
        assert not users.user_exists(connection, str(world.rina))


def test_a_run_that_was_broken_off_goes_on_where_it_stood(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(ground)
    whole, batches = ledger.move_batch, [0]

    def break_off(engine: Engine, kind: str, *rest: Any) -> None:
        batches[0] += 1
        if kind == "registrations":
            raise ConnectionResetError("the machine stops")
        whole(engine, kind, *rest)

    monkeypatch.setattr(ledger, "move_batch", break_off)
    with pytest.raises(ConnectionResetError):
        ground.run()
    monkeypatch.undo()
    report = ground.run()
    assert (report.of("tickets").before, report.of("registrations").written) == (2, 3)
    assert len(ground.messages(ground.targets.tickets)) == 3


def test_what_is_left_out_is_named_with_its_reason_and_comes_when_it_was_put_right(ground: Ground) -> None:
    old, begun = ground.fill()
    rina = old.user("rina")
    # Users are read in the order of their ids: this one comes last, so it is he who finds the address taken.
    double = old.user("rina2", email="RINA@example.com", id="ffffffff-ffff-4fff-bfff-ffffffffffff")
    silent = old.user("silent", email="")
    event = old.event(None, timedelta(days=1))
    odd = old.event(rina, timedelta(days=1), status="postponed")
    ticket, lost = old.ticket(event), old.ticket(odd)
    of_double = old.registration(ticket, double)
    money = old.payment(of_double, "completed")
    poster = old.poster(event)
    old.group(1, "admin", double, uuid4())
    begun.__exit__(None, None, None)
    report = ground.run()
    why = {(kind, id_): reason for kind, id_, reason in report.left_out}
    assert why["users", str(double)] == "email: is taken (by another user)"
    assert why["users", str(silent)] == "has no e-mail address"
    assert why["events", str(event)] == "has no organizer, and there is no superuser to give it to"
    assert "'postponed' is none of" in why["events", str(odd)]
    assert why["tickets", str(lost)] == f"event {odd} is not here"
    assert why["registrations", str(of_double)] == f"ticket {ticket} is not here"
    assert why["payments", str(money)] == f"registration {of_double} is not here"
    assert "upload it again" in why["posters", str(poster)]
    assert sum(count.left_out for count in report.counts.values()) == len(report.left_out) == 11
    for count in report.counts.values():
        assert count.read == count.written + count.before + count.left_out
    with ground.old.begin() as connection:
        connection.execute(
            sa.text("UPDATE users_user SET email = 'two@example.com' WHERE username = 'rina2'")
        )
        connection.execute(
            sa.text("UPDATE events_event SET status = 'scheduled', organizer_id = :id"), {"id": rina}
        )
    again = ground.run()
    assert {kind for kind, *_ in again.left_out} == {"users", "memberships", "posters"}
    assert again.of("payments").written == 1


def test_a_password_that_cannot_be_checked_and_an_inactive_user_are_told(ground: Ground) -> None:
    old, begun = ground.fill()
    bcrypt = old.user("bcrypt", password="bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv")
    inactive = old.user("inactive", is_active=False, is_superuser=True)
    begun.__exit__(None, None, None)
    notes = {id_: note for _, id_, note in ground.run().notes}
    assert "an admin must give a new one" in notes[str(bcrypt)]
    assert "was inactive" in notes[str(inactive)]
    with ground.targets.accounts.connect() as connection:
        for name in ("bcrypt", "inactive"):
            user = users.find_by_username(connection, name)
            assert user is not None
            assert not user.is_superuser
            assert not accounts.knows_password(user, PASSWORD)


def test_a_group_that_is_here_already_is_that_group_and_a_taken_id_is_not_taken_over(ground: Ground) -> None:
    with ground.targets.accounts.begin() as connection:
        crew, admin = (accounts.name_group(connection, name) for name in ("crew", "ADMIN"))
    old, begun = ground.fill()
    rina = old.user("rina")
    old.group(crew, "admin", rina)
    old.group(admin, "organizer", rina)
    begun.__exit__(None, None, None)
    assert len(ground.run().notes) == 2
    with ground.targets.accounts.connect() as connection:
        assert sorted(users.group_names(connection, str(rina))) == ["ADMIN", "organizer"]
        assert users.find_group(connection, crew) == (crew, "crew")


def test_tables_with_other_names_and_integer_ids_are_found_and_mapped_the_same_in_each_run(
    ground: Ground,
) -> None:
    with ground.old.begin() as connection:
        OldDicoEvent(connection)
        for statement in (
            "DROP SCHEMA public CASCADE", "CREATE SCHEMA public",
            "CREATE TABLE people (id serial, username text, email text, password text)",
            "CREATE TABLE core_events"
            " (id serial, name text, starts_at timestamp, capacity int, owner_id int)",
            "INSERT INTO people (username, email, password) VALUES ('rina', 'rina@example.com', '!')",
            "INSERT INTO core_events (name, starts_at, capacity, owner_id)"
            " VALUES ('Jazz', '2030-01-02 19:00', 5, 1)",
        ):  # fmt: skip
            connection.execute(sa.text(statement))
    with pytest.raises(SourceError, match="No table for users was found; say which it is with --table"):
        ground.run()
    report = ground.run(users="people")
    assert report.missing == ["groups", "memberships", "tickets", "registrations", "payments", "posters"]
    with ground.targets.events.connect() as connection, ground.targets.accounts.connect() as accounts_:
        event = connection.execute(sa.select(events)).one()
        assert event.starts_at.isoformat() == "2030-01-02T12:00:00+00:00"
        assert users.user_exists(accounts_, event.organizer_id)
    assert ground.run(users="people").of("events").before == 1


def test_two_tables_that_fit_are_not_guessed_between(ground: Ground) -> None:
    old, begun = ground.fill()
    old._connection.execute(sa.text("CREATE TABLE shop_event (LIKE events_event)"))
    begun.__exit__(None, None, None)
    with pytest.raises(SourceError, match="choose with --table events=NAME"):
        ground.run()
    assert ground.run(events="events_event").of("events").read == 0


def test_the_command_reads_where_the_system_is_and_says_what_it_did(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    furnish(ground)
    monkeypatch.chdir(tmp_path)
    url = {
        name: getattr(ground.targets, name).url.render_as_string(hide_password=False)
        for name in ("accounts", "events", "tickets")
    }
    for name in url:
        monkeypatch.setenv(f"{name.upper()}_DATABASE_URL", url[name])
    assert command.main(["--from", ground.old.url.render_as_string(hide_password=False)]) == 0
    told = capsys.readouterr()
    assert "registrations 3/3" in told.err
    assert [line.split() for line in told.out.splitlines() if line.startswith("users")] == [
        ["users", "3", "3", "0", "0"]
    ]
    assert command.main(["--from", "postgresql://127.0.0.1:1/none"]) == 1
    monkeypatch.delenv("TICKETS_DATABASE_URL")
    assert command.main([]) == 1
    assert "DJANGO_DATABASE_URL" in capsys.readouterr().err
