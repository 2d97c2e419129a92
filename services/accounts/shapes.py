"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, Field

from services.accounts.model import User
from shared.http import Pagination
from shared.http.fields import named, storable


def _email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None


Text = Annotated[str, AfterValidator(storable)]
Username = Annotated[Text, AfterValidator(named), Field(max_length=150)]
Email = Annotated[Text, AfterValidator(_email), Field(max_length=320)]
PersonName = Annotated[Text, Field(max_length=150)]
Locale = Annotated[str, Field(max_length=35, pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
GroupName = Annotated[Text, AfterValidator(named), Field(max_length=150)]


class Credentials(BaseModel):
    """A login."""

    username: Text = Field(max_length=150)
    password: Text = Field(max_length=1000)


class RefreshBody(BaseModel):
    """A refresh token."""

    refresh: Annotated[str, Field(max_length=4096)]


class TokensBody(BaseModel):
    """New tokens."""

    access: str
    refresh: str


class UserChange(BaseModel):
    """Any subset of a user's fields; null is "as it is"."""

    username: Username | None = None
    password: Text | None = None
    email: Email | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    locale: Locale | None = None

    def fields(self) -> dict[str, Any]:
        """What was really given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class NewUser(UserChange):
    """A user to be."""

    username: Username
    password: Text
    email: Email


class UserBody(BaseModel):
    """A user; his names are always strings."""

    id: str
    username: str
    email: str
    first_name: str
    last_name: str
    locale: str

    @classmethod
    def of(cls, user: User) -> "UserBody":
        return cls(**{name: getattr(user, name) for name in cls.model_fields})


class UserPage(BaseModel):
    """One page of users, oldest first."""

    users: list[UserBody]
    pagination: Pagination


class GroupChange(BaseModel):
    """A group's name."""

    name: GroupName


class GroupBody(BaseModel):
    """A group."""

    id: int
    name: str


class GroupList(BaseModel):
    """All groups."""

    groups: list[GroupBody]


class RoleAssignment(BaseModel):
    """Who gets into which group."""

    user_id: Annotated[Text, Field(max_length=128)]
    group_id: Annotated[int, Field(ge=1, le=2**31 - 1)]
