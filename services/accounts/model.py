"""Users and what may be done with them; pure."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.accounts.errors import FieldInvalid
from shared.auth import Principal
from shared.auth.principal import ADMIN, ORGANIZER, SUPERUSER

ROLES = (ADMIN, ORGANIZER)
MIN_PASSWORD, MAX_PASSWORD = 8, 128
# PostgreSQL indexes no text over 2704 bytes, and folding makes some letters many: U+FDFA becomes 18.
MAX_FOLDED = 600


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `version` counts his changes."""

    id: str
    version: int
    username: str
    email: str
    password_hash: str
    first_name: str
    last_name: str
    locale: str
    is_superuser: bool

    @property
    def name(self) -> str:
        """How he is addressed: his names, or his username when he gave none."""
        return f"{self.first_name} {self.last_name}".strip() or self.username


def fold(text: str) -> str:
    """The same for all ways to write a name: any letter case, any composition (Unicode 3.13, D145, D147)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def name_key(field: str, text: str) -> str:
    """What must be unique of a name; raises FieldInvalid for one too long to be kept in an index."""
    key = fold(text)
    if len(key) > MAX_FOLDED:
        raise FieldInvalid(field, "is too long")
    return key


@cache
def _common_passwords() -> frozenset[str]:
    file = Path(__file__).with_name("common_passwords.txt")
    return frozenset(line for line in file.read_text("utf-8").splitlines() if not line.startswith("#"))


def check_password(password: str) -> None:
    """Raises FieldInvalid for a password that is too short, too long, or among the most common."""
    if len(password) < MIN_PASSWORD:
        raise FieldInvalid("password", f"has fewer than {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise FieldInvalid("password", f"has more than {MAX_PASSWORD} characters")
    if password.casefold() in _common_passwords():
        raise FieldInvalid("password", "is one of the most common passwords")


def roles_of(user: User, group_names: list[str]) -> list[str]:
    """The roles a user's next token carries."""
    roles = {fold(name) for name in group_names} & set(ROLES)
    return sorted(roles | ({SUPERUSER} if user.is_superuser else set()))


def may_see(caller: Principal, user_id: str) -> bool:
    """A user sees himself, admins see everybody."""
    return caller.is_admin or caller.id == user_id


def may_edit(caller: Principal, user: User) -> bool:
    """As may_see, but only superusers change superusers."""
    if user.is_superuser and not caller.is_superuser:
        return False
    return may_see(caller, user.id)
