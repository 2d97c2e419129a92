"""The caller, as his access token describes him."""

from dataclasses import dataclass

SUPERUSER, ADMIN, ORGANIZER = "superuser", "admin", "organizer"


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user. Roles count from the token that was issued after they were given."""

    id: str
    username: str
    roles: frozenset[str]

    @property
    def is_superuser(self) -> bool:
        return SUPERUSER in self.roles

    @property
    def is_admin(self) -> bool:
        """Admins and superusers may do what admins may."""
        return bool(self.roles & {SUPERUSER, ADMIN})

    @property
    def is_organizer(self) -> bool:
        return ORGANIZER in self.roles
