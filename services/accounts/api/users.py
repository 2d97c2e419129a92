"""The public calls on users."""

from datetime import datetime

from fastapi import APIRouter

from services.accounts import handlers, store
from services.accounts.api.shapes import NewUser, UserBody, UserChange, UserPage
from services.accounts.api.wiring import Admin, Caller, Cursor, Page, PageSize, UserId, Wired
from shared.http import Pagination, page_of, problems
from shared.http.pages import read_cursor, write_cursor

router = APIRouter(prefix="/api/users", tags=["accounts"])
_NOT_HIS = problems(403, 404, _403="Only admins see other users.", _404="There is no such user.")


@router.post("", status_code=201)
def register(body: NewUser, wired: Wired) -> UserBody:
    """Makes an account; anyone may."""
    with wired.transaction() as connection:
        return UserBody.of(handlers.register(connection, body.fields()))


@router.get("", responses=problems(403))
def list_users(
    _: Admin, wired: Wired, page: Page = 1, page_size: PageSize = 20, cursor: Cursor = None
) -> UserPage:
    """All users, oldest first, for admins: by page, or by the `next_cursor` of the page before."""
    with wired.transaction() as connection:
        if cursor is None:
            users, total, key = store.list_users(connection, page, page_size)
            pagination = page_of(page, page_size, total, write_cursor(key) if key else None)
        else:
            after = read_cursor(cursor, datetime, str) if cursor else None
            users, key = store.users_after(connection, after, page_size)
            pagination = Pagination(page_size=page_size, next_cursor=write_cursor(key) if key else None)
    return UserPage(users=[UserBody.of(user) for user in users], pagination=pagination)


@router.get("/{user_id}", responses=_NOT_HIS)
def get_user(user_id: UserId, caller: Caller, wired: Wired) -> UserBody:
    """A user, for himself and admins."""
    with wired.transaction() as connection:
        return UserBody.of(handlers.get_user(connection, user_id, caller))


@router.put("/{user_id}", responses=_NOT_HIS)
@router.patch("/{user_id}", responses=_NOT_HIS)
def change_user(user_id: UserId, body: UserChange, caller: Caller, wired: Wired) -> UserBody:
    """Changes any subset of the fields. A new password ends every session."""
    with wired.transaction() as connection:
        return UserBody.of(handlers.change_user(connection, user_id, body.fields(), caller))


@router.delete("/{user_id}", status_code=204, responses=_NOT_HIS)
def delete_user(user_id: UserId, caller: Admin, wired: Wired) -> None:
    """Deletes a user; his name and address go from everywhere, his orders stay."""
    with wired.transaction() as connection:
        handlers.delete_user(connection, user_id, caller)
