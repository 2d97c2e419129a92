"""What accounts refuse; one root."""


class AccountsError(Exception):
    """Something asked of this service cannot be done."""


class WrongCredentials(AccountsError):
    """The name, the password or the token is not right."""


class TooManyAttempts(AccountsError):
    """Too many logins failed of late for this name or from this address."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__("Too many logins failed. Wait, then try again.")
        self.wait_seconds = wait_seconds


class UserNotFound(AccountsError):
    """There is no such user."""


class GroupNotFound(AccountsError):
    """There is no such group."""


class NotAllowed(AccountsError):
    """The caller's role does not allow it."""


class FieldInvalid(AccountsError):
    """One field has a value that cannot be."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
