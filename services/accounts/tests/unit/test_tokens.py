"""A token is good on every machine, whatever its clock says of when it was made."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.local.secret_store import make_all
from services.accounts.tokens import Signer
from shared.auth import TokenVerifier
from shared.auth.tokens import ACCESS, TokenRefused

SIGNER = Signer.from_pem(make_all()["AUTH_SIGNING_KEY"].replace("\\n", "\n"))


def token(made: timedelta) -> str:
    return SIGNER.access("u1", "sari", [], datetime.now(UTC) + made)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_machine_whose_clock_is_five_minutes_off_takes_a_fresh_token(minutes: int) -> None:
    caller = TokenVerifier(SIGNER).verify(token(timedelta(minutes=minutes)))
    assert caller.id == "u1"


def test_an_old_token_is_refused() -> None:
    with pytest.raises(TokenRefused):
        TokenVerifier(SIGNER).claims(token(timedelta(minutes=-61)), ACCESS)
