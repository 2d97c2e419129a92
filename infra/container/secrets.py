"""`python -m infra.container.secrets`: makes the secrets of a composed system once and hands them out.

They are kept in one volume: `secrets.env` holds them all, for root; beside it is one folder for each user
with the files that he may read, each named like the variable it becomes.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.secret_store import load_or_make
from infra.local.settings import SERVICES

FOLDER = Path("/run/dicoevent")
# Users of docker-compose.yml. Group 10000 is everyone who talks to other services or signs links.
SERVICES_GROUP = 10000
USERS = {"accounts": 10001, "events": 10002, "tickets": 10003, "notifications": 10004, "migrate": 10007}


def main() -> int:
    """0 when everybody has what is his."""
    secrets = load_or_make(FOLDER, extra=("S3_SECRET_KEY",))
    FOLDER.chmod(0o755)
    for audience, values in shares(secrets).items():
        user = USERS.get(audience, 0)
        group = SERVICES_GROUP if audience == "services" else user
        _hand_out(FOLDER / audience, values, user, group)
    sys.stdout.write(
        "The secrets are in the volume. The superuser's password, unless SUPERUSER_PASSWORD is set:\n"
        "  docker compose exec accounts-api cat /run/dicoevent/accounts/SUPERUSER_PASSWORD\n"
    )
    return 0


def shares(secrets: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """audience -> variable -> value: nobody is given more than he needs."""
    urls = {f"{s.upper()}_DATABASE_URL": _url(s, secrets) for s in SERVICES}
    own = {s: {f"{s.upper()}_DATABASE_URL": urls[f"{s.upper()}_DATABASE_URL"]} for s in SERVICES}
    own["accounts"].update({name: secrets[name] for name in ("AUTH_SIGNING_KEY", "SUPERUSER_PASSWORD")})
    own["events"]["S3_SECRET_KEY"] = secrets["S3_SECRET_KEY"]
    passwords = [name for name in secrets if name.endswith("_DATABASE_PASSWORD")]
    return {
        **own,
        "services": {name: secrets[name] for name in ("SERVICE_TOKEN", "LINK_SECRET")},
        "migrate": urls,
        "db": {name: secrets[name] for name in (*passwords, "POSTGRES_PASSWORD")},
        "minio": {"MINIO_ROOT_PASSWORD": secrets["S3_SECRET_KEY"]},
    }


def _url(service: str, secrets: Mapping[str, str]) -> str:
    name, password = f"dicoevent_{service}", secrets[f"{service.upper()}_DATABASE_PASSWORD"]
    return f"postgresql+psycopg2://{name}:{password}@db:5432/{name}"


def _hand_out(folder: Path, values: Mapping[str, str], user: int, group: int) -> None:
    folder.mkdir(exist_ok=True)
    for name, value in values.items():
        draft = folder / f".{name}"
        draft.write_text(value)
        os.chown(draft, user, group)
        draft.chmod(0o440)
        draft.replace(folder / name)
    os.chown(folder, user, group)
    folder.chmod(0o750)


if __name__ == "__main__":
    sys.exit(main())
