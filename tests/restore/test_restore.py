"""A backup is restored: no reminder is lost, and doubles are those that docs/operations.md names."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.__main__ import main
from services.notifications.settings import read_mail
from services.notifications.tests.integration.conftest import World
from shared.outbox import store
from shared.testing import RecordingMailServer
from tests.restore.house import House, dump, restore_database, restore_rows, restore_tables

Restore = Callable[[sa.Engine, Path], None]
WAYS = [restore_tables, restore_database, restore_rows]


@pytest.fixture
def house(make_service_engine: Callable[[str], sa.Engine]) -> Iterator[House]:
    with RecordingMailServer() as server:
        mail = read_mail({"MAIL_HOST": "127.0.0.1", "MAIL_PORT": str(server.port)})
        house = House(
            make_service_engine("tickets"), World(make_service_engine("notifications"), server, mail)
        )
        house.start_publisher()
        yield house


@pytest.mark.parametrize("restore", WAYS)
def test_after_a_publisher_is_restored_nobody_who_orders_is_missed(
    house: House, tmp_path: Path, restore: Restore
) -> None:
    house.order("a", "b", "c")
    house.read_feed()
    backup = dump(house.tickets, tmp_path / "tickets")
    house.order("d", "e", "f")
    house.read_feed()
    restore(house.tickets, backup)
    house.start_publisher()
    # More than were lost: the new feed has passed the old cursor before anybody reads it.
    house.order("g", "h", "i", "j")
    house.read_feed()
    house.world.deliver()
    assert house.reminded() == dict.fromkeys("abcdefghij", 1)


@pytest.mark.parametrize("restore", WAYS)
def test_after_notifications_is_restored_only_those_reminded_since_the_backup_are_reminded_again(
    house: House, tmp_path: Path, restore: Restore
) -> None:
    house.order("a", "b")
    house.read_feed()
    house.world.deliver()
    house.order("c", "d")
    house.read_feed()
    backup = dump(house.world.engine, tmp_path / "notifications")
    house.order("e")
    house.read_feed()
    house.world.deliver()
    assert house.reminded() == dict.fromkeys("abcde", 1)
    restore(house.world.engine, backup)
    house.order("f")
    house.read_feed()
    house.world.deliver()
    assert house.reminded() == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 2, "f": 1}


@pytest.mark.parametrize("restore", WAYS)
def test_after_both_are_restored_everybody_who_has_a_ticket_is_reminded(
    house: House, tmp_path: Path, restore: Restore
) -> None:
    house.order("a")
    house.read_feed()
    house.world.deliver()
    backups = dump(house.tickets, tmp_path / "tickets"), dump(house.world.engine, tmp_path / "notifications")
    house.order("lost")
    house.read_feed()
    for engine, backup in zip((house.tickets, house.world.engine), backups, strict=True):
        restore(engine, backup)
    house.start_publisher()
    house.order("b", "c", "d")
    house.read_feed()
    house.world.deliver()
    assert house.reminded() == dict.fromkeys("abcd", 1)


def test_a_restart_without_a_restore_reads_nothing_again(house: House) -> None:
    house.order("a", "b")
    house.read_feed()
    house.start_publisher()
    with house.world.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM inbox"))
    house.read_feed()
    with house.world.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM inbox")) == 0


def test_after_restored_the_next_change_is_newer_than_what_others_know(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database("accounts")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        store.renew_epoch(connection)
        before = connection.scalar(sa.text("SELECT epoch FROM outbox_feed"))
        connection.execute(
            sa.text(
                "INSERT INTO users (id, version, username, email, password_hash, first_name, last_name,"
                " locale, is_superuser, username_key, email_key)"
                " VALUES ('u', 3, 'u', 'u@dicoevent.example', '', '', '', 'en', false, 'u', 'u@x')"
            )
        )
    monkeypatch.setenv("ACCOUNTS_DATABASE_URL", url)
    assert main(["restored", "accounts"]) == 0
    with engine.begin() as connection:
        assert store.renew_epoch(connection) != before
        assert connection.scalar(sa.text("SELECT version FROM users")) > 1000
    engine.dispose()


@pytest.mark.parametrize("arguments", [[], ["restored", "notifications"], ["migrate", "accounts"], ["x"]])
def test_a_wrong_call_is_told_how_to_call(arguments: list[str]) -> None:
    assert main(arguments) == 2
