"""One function for each command; the caller owns the transaction."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.accounts import model, passwords, store
from services.accounts.errors import FieldInvalid, GroupNotFound, NotAllowed, UserNotFound, WrongCredentials
from services.accounts.model import User
from services.accounts.tokens import REFRESH, REFRESH_LIFE, Signer
from shared.auth import Principal, TokenRefused, TokenVerifier
from shared.messages import Message, new_id
from shared.messages.catalogue import UserData, UserGone
from shared.outbox import publish

SOURCE = "/accounts"
WRONG = "The username or the password is wrong."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login answers."""

    access: str
    refresh: str


def register(connection: sa.Connection, fields: dict[str, Any], superuser: bool = False) -> User:
    """Makes a user and publishes him; raises FieldInvalid for a taken name or address."""
    model.check_password(fields["password"])
    user = User(
        id=new_id(),
        version=1,
        username=fields["username"],
        email=fields["email"],
        password_hash=passwords.hash_password(fields["password"]),
        first_name=fields.get("first_name", ""),
        last_name=fields.get("last_name", ""),
        locale=fields.get("locale") or "en",
        is_superuser=superuser,
    )
    add_user(connection, user)
    return user


def add_user(connection: sa.Connection, user: User) -> None:
    """Stores a user as he is and publishes him; raises FieldInvalid for a taken name or address."""
    _unless_taken(connection, lambda: store.add_user(connection, user))
    publish(connection, SOURCE, [_about(user, "user.registered")])


def change_user(connection: sa.Connection, user_id: str, fields: dict[str, Any], caller: Principal) -> User:
    """Changes any subset of the fields; a new password ends every session."""
    user = _find_for(connection, user_id, caller)
    if not model.may_edit(caller, user):
        raise NotAllowed("Only superusers change superusers.")
    fields = dict(fields)
    if (password := fields.pop("password", None)) is not None:
        model.check_password(password)
        fields["password_hash"] = passwords.hash_password(password)
        store.end_families(connection, user.id)
    changed = replace(user, **fields)
    if changed == user:
        return user
    changed = replace(changed, version=user.version + 1)
    _unless_taken(connection, lambda: store.save_user(connection, changed))
    publish(connection, SOURCE, [_about(changed, "user.updated")])
    return changed


def delete_user(connection: sa.Connection, user_id: str, caller: Principal) -> None:
    """Deletes a user, and what his messages said of him."""
    user = store.find_user(connection, user_id, lock=True)
    if user is None:
        raise UserNotFound("There is no such user.")
    if not model.may_edit(caller, user):
        raise NotAllowed("Only superusers delete superusers.")
    store.remove_user(connection, user_id)
    gone = Message("user.deleted", user_id, user.version + 1, UserGone(id=user_id))
    publish(connection, SOURCE, [gone])


def get_user(connection: sa.Connection, user_id: str, caller: Principal) -> User:
    """A user the caller may see."""
    return _find_for(connection, user_id, caller, lock=False)


def _find_for(connection: sa.Connection, user_id: str, caller: Principal, lock: bool = True) -> User:
    if not model.may_see(caller, user_id):
        raise NotAllowed("Only admins see other users.")
    user = store.find_user(connection, user_id, lock)
    if user is None:
        raise UserNotFound("There is no such user.")
    return user


def user_data(user: User) -> UserData:
    """A user as messages and other services see him."""
    return UserData(
        id=user.id,
        version=user.version,
        username=user.username,
        name=user.name,
        email=user.email,
        locale=user.locale,
    )


def _about(user: User, message_type: str) -> Message:
    return Message(message_type, user.id, user.version, user_data(user))


def _unless_taken(connection: sa.Connection, write: Any) -> None:
    """Two who take one name at the same moment: the index decides, and the later one is told."""
    try:
        with connection.begin_nested():
            write()
    except IntegrityError as error:
        taken = getattr(error.orig, "diag", None)
        field = "email" if "email" in str(taken and taken.constraint_name) else "username"
        raise FieldInvalid(field, "is taken") from None


def sign_in(connection: sa.Connection, user: User, password: str, signer: Signer) -> Tokens:
    """The tokens of a user whose password was just found right; raises WrongCredentials if it was changed,
    or he was deleted, while it was checked. A hash of old is made anew.
    """
    current = store.find_user(connection, user.id, lock=True)
    if current is None or current.password_hash != user.password_hash:
        raise WrongCredentials(WRONG)
    if passwords.is_outdated(user.password_hash):
        store.save_password_hash(connection, user.id, passwords.hash_password(password))
    now, family, token_id = datetime.now(UTC), new_id(), new_id()
    store.add_family(connection, family, user.id, token_id, now + REFRESH_LIFE)
    return _tokens(connection, current, family, token_id, signer, now)


def knows_password(user: User | None, password: str) -> bool:
    """Whether this is the user and the password; takes as long for nobody. Needs no transaction."""
    return passwords.matches(password, user.password_hash if user else None)


def refresh(connection: sa.Connection, token: str, signer: Signer) -> Tokens | None:
    """New tokens for a refresh token that was not used before; None when its family is now over.

    Raises WrongCredentials for what is no refresh token of ours.
    """
    try:
        claims = TokenVerifier(signer).claims(token, REFRESH)
    except TokenRefused as error:
        raise WrongCredentials(str(error)) from None
    now, token_id = datetime.now(UTC), new_id()
    family = str(claims.get("family", ""))
    if not store.rotate_family(connection, family, str(claims.get("jti", "")), token_id, now + REFRESH_LIFE):
        return None
    user = store.find_user(connection, claims["sub"])
    return None if user is None else _tokens(connection, user, family, token_id, signer, now)


def _tokens(
    connection: sa.Connection, user: User, family: str, token_id: str, signer: Signer, now: datetime
) -> Tokens:
    roles = model.roles_of(user, store.group_names(connection, user.id))
    access = signer.access(user.id, user.username, roles, now)
    return Tokens(access, signer.refresh(user.id, family, token_id, now))


def assign_role(connection: sa.Connection, user_id: str, group_id: int) -> None:
    """Puts a user into a group; it counts from his next token."""
    if store.find_user(connection, user_id) is None:
        raise UserNotFound("There is no such user.")
    get_group(connection, group_id)
    try:
        with connection.begin_nested():
            store.add_member(connection, user_id, group_id)
    except IntegrityError:
        raise UserNotFound("The user or the group was deleted just now.") from None


def name_group(connection: sa.Connection, name: str, group_id: int | None = None) -> int:
    """Makes a group, or gives one another name; returns its id."""
    try:
        with connection.begin_nested():
            if group_id is None:
                return store.add_group(connection, name)
            if not store.rename_group(connection, group_id, name):
                raise GroupNotFound("There is no such group.")
            return group_id
    except IntegrityError:
        raise FieldInvalid("name", "is taken") from None


def get_group(connection: sa.Connection, group_id: int) -> sa.Row:
    """A group by its id."""
    row = store.find_group(connection, group_id)
    if row is None:
        raise GroupNotFound("There is no such group.")
    return row


def delete_group(connection: sa.Connection, group_id: int) -> None:
    """Deletes a group; its members lose the role."""
    if not store.remove_group(connection, group_id):
        raise GroupNotFound("There is no such group.")


def ensure_superuser(connection: sa.Connection, username: str, password: str, email: str) -> bool:
    """Makes the first superuser if nobody has the name; never overwrites. True if it was made."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('accounts.superuser'))"))
    if store.find_by_username(connection, username) is not None:
        return False
    register(connection, {"username": username, "password": password, "email": email}, superuser=True)
    return True
