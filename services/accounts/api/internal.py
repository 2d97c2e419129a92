"""The calls for other services; the gateway does not route them."""

from typing import Any

from fastapi import APIRouter

from services.accounts import handlers, store
from services.accounts.api.wiring import UserId, Wired
from shared.http import NotFound

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.get("/users/{user_id}")
def get_user(user_id: UserId, wired: Wired) -> dict[str, Any]:
    """A user as messages show him."""
    with wired.transaction() as connection:
        user = store.find_user(connection, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return handlers.user_data(user).model_dump()
