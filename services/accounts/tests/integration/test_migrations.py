"""An installation of before keeps its users and groups."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from services.accounts import store
from services.accounts.bootstrap import MIGRATIONS
from shared.database import migrate
from shared.testing import at_first_revision

USER = (
    "INSERT INTO users (id, version, username, email, password_hash, first_name, last_name, locale,"
    " is_superuser) VALUES (:name, 1, :name, :email, '!', '', '', 'en', false)"
)


def before_folded_names(engine: Engine, folder: Path, names: dict[str, str]) -> str:
    """The URL of a database as 0001 left it, with these users and a group."""
    url = at_first_revision(engine, MIGRATIONS, folder)
    with engine.begin() as connection:
        for name, email in names.items():
            connection.execute(sa.text(USER), {"name": name, "email": email})
        connection.execute(sa.text("INSERT INTO groups (name) VALUES ('Admin')"))
    return url


def test_names_of_before_are_found_in_any_letter_case(
    make_service_engine: Callable[[str], Engine], tmp_path: Path
) -> None:
    engine = make_service_engine("accounts")
    url = before_folded_names(engine, tmp_path, {"Désirée": "Rina@example.com"})
    migrate(url, MIGRATIONS, "accounts")
    with engine.begin() as connection:
        user = store.find_by_username(connection, "DÉSIRÉE")
        assert user is not None
        assert user.email == "Rina@example.com"
        assert store.list_groups(connection, 1, 10)[0][0].name == "Admin"


def test_two_that_are_one_name_now_stop_the_migration_with_both_named(
    make_service_engine: Callable[[str], Engine], tmp_path: Path
) -> None:
    names = {"straße": "a@example.com", "STRASSE": "b@example.com"}
    url = before_folded_names(make_service_engine("accounts"), tmp_path, names)
    with pytest.raises(ValueError, match=r"users .* have the same username"):
        migrate(url, MIGRATIONS, "accounts")
