"""Everything accounts reads from the environment."""

from dataclasses import dataclass

from shared.settings import Environment, SettingError, address, choice, database_url, required


@dataclass(frozen=True, slots=True)
class FirstSuperuser:
    """Who may do everything when nobody is there yet."""

    username: str
    password: str
    email: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, validated. `signing_key` is an Ed25519 private key, PEM."""

    database_url: str
    broker_url: str
    bind: tuple[str, int]
    signing_key: str
    service_token: str
    superuser: FirstSuperuser | None
    log_level: str


def read_settings(env: Environment) -> Settings:
    """The settings in an environment; raises SettingError naming the variable that is wrong."""
    return Settings(
        database_url=database_url(env, "ACCOUNTS_DATABASE_URL"),
        broker_url=env.get("CELERY_BROKER_URL", "").strip() or "redis://127.0.0.1:6379/0",
        bind=address(env, "BIND", "127.0.0.1:8101"),
        signing_key=_signing_key(env),
        service_token=required(env, "SERVICE_TOKEN"),
        superuser=_superuser(env),
        log_level=choice(env, "LOG_LEVEL", "info", ("debug", "info", "warning", "error")).upper(),
    )


def _signing_key(env: Environment) -> str:
    # In a file of NAME=value lines the newlines of a PEM are written as \n.
    pem = required(env, "AUTH_SIGNING_KEY").replace("\\n", "\n")
    if not pem.startswith("-----BEGIN PRIVATE KEY-----"):
        raise SettingError("AUTH_SIGNING_KEY", "is not a private key in PEM (PKCS 8)")
    return pem


def _superuser(env: Environment) -> FirstSuperuser | None:
    username = env.get("SUPERUSER_USERNAME", "").strip()
    if not username:
        return None
    email = env.get("SUPERUSER_EMAIL", "").strip() or f"{username}@dicoevent.example"
    return FirstSuperuser(username, required(env, "SUPERUSER_PASSWORD"), email)
