"""The secrets of an installation: made at first start, kept in the data folder, for its owner only."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from dotenv import dotenv_values

from infra.local.settings import SERVICES


def load_or_make(home: Path, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """The secrets as environment variables, those of this machine and `extra` ones; what is missing is made
    and kept.
    """
    file = home / "secrets.env"
    kept = {name: value for name, value in dotenv_values(file).items() if value}
    missing = {name: make() for name, make in _makers(extra).items() if name not in kept}
    if missing:
        _write(file, {**kept, **missing})
    return {**kept, **missing}


def make_all(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """New secrets, not kept."""
    return {name: make() for name, make in _makers(extra).items()}


def _makers(extra: tuple[str, ...]) -> dict[str, Callable[[], str]]:
    tokens = ["SERVICE_TOKEN", "LINK_SECRET", "POSTGRES_PASSWORD", "SUPERUSER_PASSWORD"]
    tokens += [f"{service.upper()}_DATABASE_PASSWORD" for service in SERVICES]
    makers = {name: lambda: secrets.token_urlsafe(24) for name in (*tokens, *extra)}
    return {**makers, "AUTH_SIGNING_KEY": _signing_key}


def _signing_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    # One line for each variable: newlines are written as \n, and read so by accounts.
    return pem.strip().replace("\n", "\\n")


def _write(file: Path, values: dict[str, str]) -> None:
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{name}='{value}'\n" for name, value in values.items())
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
