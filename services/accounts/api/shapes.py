"""Bodies in and out. Unknown fields are ignored: clients send back what they read."""

from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.accounts.model import MAX_PASSWORD, MIN_PASSWORD, User
from shared.auth.tokens import MAX_TOKEN
from shared.http import Pagination
from shared.http.fields import Line, Name, Shown, no_boolean, storable


def _email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None


Text = Annotated[str, AfterValidator(storable), Shown({"pattern": r"^[^\x00]*$"})]
Username = Annotated[Name, Field(max_length=150)]
Password = Annotated[Text, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Email = Annotated[
    str, AfterValidator(storable), AfterValidator(_email), Field(max_length=320), Shown({"format": "email"})
]
PersonName = Annotated[Line, Field(max_length=150)]
Locale = Annotated[str, Field(max_length=35, pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
GroupName = Annotated[Name, Field(max_length=150)]
_RINA = {"username": "rina", "email": "rina@example.com", "first_name": "Rina", "last_name": "Wulandari"}
_PASSWORD = {"password": "correct horse battery"}
_RINA_ID = "0190f5a4-7c1e-7b3a-9d2e-3f4a5b6c7d8e"


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Credentials(BaseModel):
    """A login."""

    model_config = _example(**_PASSWORD, username="rina")
    username: Annotated[Text, Field(max_length=150)]
    password: Annotated[Text, Field(max_length=1000)]


class RefreshBody(BaseModel):
    """A refresh token."""

    refresh: Annotated[Text, Field(max_length=MAX_TOKEN)]


class TokensBody(BaseModel):
    """New tokens: `access` for an hour, `refresh` for 30 days and one use."""

    access: str
    refresh: str


class UserChange(BaseModel):
    """Any subset of a user's fields; null is "as it is"."""

    model_config = _example(first_name="Rina", locale="id")
    username: Username | None = None
    password: Password | None = None
    email: Email | None = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    locale: Locale | None = None

    def fields(self) -> dict[str, Any]:
        """What was really given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class NewUser(UserChange):
    """A user to be."""

    model_config = _example(**_RINA, **_PASSWORD)
    username: Username
    password: Password
    email: Email


class UserBody(BaseModel):
    """A user; his names are always strings."""

    model_config = _example(id=_RINA_ID, **_RINA, locale="en")
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
    """A group's name: `admin` and `organizer`, in any letter case, are roles; others carry no right."""

    model_config = _example(name="organizer")
    name: GroupName


class GroupBody(BaseModel):
    """A group."""

    model_config = _example(id=1, name="organizer")
    id: int = Field(gt=0)
    name: str


class GroupPage(BaseModel):
    """One page of groups, by id."""

    groups: list[GroupBody]
    pagination: Pagination


class RoleAssignment(BaseModel):
    """Who gets into which group."""

    model_config = _example(user_id=_RINA_ID, group_id=1)
    user_id: Annotated[Text, Field(max_length=128)]
    group_id: Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(no_boolean)]
