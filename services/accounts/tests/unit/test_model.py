"""The rules of accounts."""

import pytest

from services.accounts import model
from services.accounts.errors import FieldInvalid
from services.accounts.model import User
from shared.auth import Principal

USER = User("1", 1, "rina", "rina@example.com", "", "", "", "en", False)


def test_the_password_that_clients_use_today_is_accepted() -> None:
    model.check_password("1234qwer!@#$")


def test_at_least_a_thousand_common_passwords_are_refused_in_any_letter_case() -> None:
    common = model._common_passwords()
    assert len(common) >= 1000
    long_enough = [word for word in common if len(word) >= model.MIN_PASSWORD]
    for word in (*long_enough, *(word.upper() for word in long_enough)):
        with pytest.raises(FieldInvalid, match="most common"):
            model.check_password(word)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Rina", "rINA"), ("STRASSE", "straße"), ("É", "e\u0301"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("\uff21", "a")],
)
def test_all_ways_to_write_a_name_fold_to_one(one: str, other: str) -> None:
    assert model.fold(one) == model.fold(other)


def test_only_admin_and_organizer_are_roles_and_superusers_have_theirs() -> None:
    assert model.roles_of(USER, ["ADMIN", "Organizer", "vip", "superuser"]) == ["admin", "organizer"]


@pytest.mark.parametrize(
    ("first", "last", "name"), [("Rina", "W", "Rina W"), ("", "W", "W"), ("", "", "rina")]
)
def test_somebody_without_names_is_called_by_his_username(first: str, last: str, name: str) -> None:
    assert User("1", 1, "rina", "r@example.com", "", first, last, "en", False).name == name


@pytest.mark.parametrize(
    ("roles", "id_", "sees", "edits_superusers"),
    [((), "1", True, False), ((), "2", False, False), (("admin",), "2", True, False),
     (("organizer",), "2", False, False), (("superuser",), "2", True, True)],
)  # fmt: skip
def test_who_sees_and_edits_whom(
    roles: tuple[str, ...], id_: str, sees: bool, edits_superusers: bool
) -> None:
    caller = Principal(id_, "x", frozenset(roles))
    assert model.may_see(caller, "1") is sees
    assert model.may_edit(caller, USER) is sees
    superuser = User("1", 1, "root", "r@example.com", "", "", "", "en", True)
    assert model.may_edit(caller, superuser) is edits_superusers
