"""The public calls on groups and who is in them; all for superusers."""

from fastapi import APIRouter
from sqlalchemy import Row

from services.accounts import handlers, store
from services.accounts.api.shapes import GroupBody, GroupChange, GroupPage, RoleAssignment
from services.accounts.api.wiring import Cursor, GroupId, Page, PageSize, Superuser, Wired
from shared.http import Pagination, page_of, problems
from shared.http.pages import read_cursor, write_cursor

router = APIRouter(tags=["accounts"])
_ABSENT = problems(403, 404, _404="There is no such group.")


def _body(row: Row) -> GroupBody:
    return GroupBody(id=row.id, name=row.name)


@router.get("/api/groups", responses=problems(403))
def list_groups(
    _: Superuser, wired: Wired, page: Page = 1, page_size: PageSize = 20, cursor: Cursor = None
) -> GroupPage:
    """All groups by id: by page, or by the `next_cursor` of the page before."""
    with wired.transaction() as connection:
        if cursor is None:
            rows, total, last = store.list_groups(connection, page, page_size)
            pagination = page_of(page, page_size, total, write_cursor([last]) if last else None)
        else:
            after = read_cursor(cursor, int)[0] if cursor else 0
            rows, last = store.groups_after(connection, after, page_size)
            pagination = Pagination(page_size=page_size, next_cursor=write_cursor([last]) if last else None)
    return GroupPage(groups=[_body(row) for row in rows], pagination=pagination)


@router.post("/api/groups", status_code=201, responses=problems(403))
def make_group(body: GroupChange, _: Superuser, wired: Wired) -> GroupBody:
    """Makes a group. Its name is the role: admin, organizer; other names carry no right."""
    with wired.transaction() as connection:
        return GroupBody(id=handlers.name_group(connection, body.name), name=body.name)


@router.get("/api/groups/{group_id}", responses=_ABSENT)
def get_group(group_id: GroupId, _: Superuser, wired: Wired) -> GroupBody:
    """One group."""
    with wired.transaction() as connection:
        return _body(handlers.get_group(connection, group_id))


@router.put("/api/groups/{group_id}", responses=_ABSENT)
@router.patch("/api/groups/{group_id}", responses=_ABSENT)
def rename_group(group_id: GroupId, body: GroupChange, _: Superuser, wired: Wired) -> GroupBody:
    """Gives a group another name, and with it another role."""
    with wired.transaction() as connection:
        return GroupBody(id=handlers.name_group(connection, body.name, group_id), name=body.name)


@router.delete("/api/groups/{group_id}", status_code=204, responses=_ABSENT)
def delete_group(group_id: GroupId, _: Superuser, wired: Wired) -> None:
    """Deletes a group; its members lose the role with their next token."""
    with wired.transaction() as connection:
        handlers.delete_group(connection, group_id)


@router.post("/api/assign-roles", status_code=201, responses=problems(403, 404))
def assign_role(body: RoleAssignment, _: Superuser, wired: Wired) -> RoleAssignment:
    """Puts a user into a group; it counts from his next token."""
    with wired.transaction() as connection:
        handlers.assign_role(connection, body.user_id, body.group_id)
    return body
