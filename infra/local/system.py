"""The whole system on one machine: what is started, in which order, with which variables."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg2

from infra.local import databases, ports, postgres, prometheus, redis, secret_store
from infra.local.processes import INBOX, MIGRATE, PROGRAMS, Program
from infra.local.settings import SERVICES, Settings
from infra.local.supervisor import Child, NotHealthyError, Supervisor
from shared.settings import SettingError

ROOT = Path(__file__).parents[2]
HEALTHY_SECONDS = 90.0


class System:
    """One installation in one data folder."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._home = settings.home
        self._say = say
        self._taken: set[int] = set()
        self._supervisor = Supervisor(self._home, say)
        self.secrets = secret_store.load_or_make(self._home)
        self.chosen: dict[str, str] = {}

    def start(self, stopped: threading.Event) -> None:
        """Starts everything and returns when all of it is healthy."""
        if problem := ports.obstacle(self._settings.port):
            raise SettingError("PORT", f"{self._settings.port} {problem} on 127.0.0.1")
        self.choose()
        self.check()
        self._start_servers()
        self._supervisor.wait_healthy(HEALTHY_SECONDS, stopped)
        if stopped.is_set():
            return
        self._provide_databases()
        self._write_env()
        self._say("bringing the databases up to date")
        self._migrate()
        if stopped.is_set():
            return
        self._say(f"starting {len(PROGRAMS)} processes")
        for program in PROGRAMS:
            self._supervisor.start(self._child(program))
        self._supervisor.wait_healthy(HEALTHY_SECONDS, stopped)

    def watch(self, stopped: threading.Event) -> None:
        """Keeps everything running until it is told to stop."""
        self._supervisor.watch(stopped)

    def stop(self) -> None:
        """Stops everything in order."""
        self._supervisor.stop()

    def check(self) -> None:
        """Refuses what a process would refuse, and a broker that does not answer: one line now instead of a
        process that never gets well.
        """
        urls = {f"{service.upper()}_DATABASE_URL": "postgresql://not.made.yet/" for service in SERVICES}
        for program in PROGRAMS:
            try:
                # The operator's own on top: also what he set wrong for a mail server that he does not name.
                program.read_settings({**urls, **self.environment(program), **self._settings.environment})
            except ValueError as error:
                name, _, problem = str(error).partition(": ")
                raise SettingError(name, problem) from None
        if self._settings.broker_url:
            redis.check(self._settings.broker_url)

    def choose(self) -> None:
        """Decides every port and address that the operator left open, into `chosen`."""
        given = self._settings.environment
        chosen = self.chosen
        chosen["PORT"] = str(self._settings.port)
        self._taken.add(self._settings.port)
        chosen["API_URL"] = f"http://127.0.0.1:{self._settings.port}"
        chosen["PUBLIC_URL"] = given.get("PUBLIC_URL") or chosen["API_URL"]
        for number, service in enumerate(SERVICES):
            port = ports.choose(8101 + number, self._taken)
            chosen[f"{service.upper()}_PORT"] = str(port)
            chosen[f"{service.upper()}_URL"] = f"http://127.0.0.1:{port}"
        if self._settings.broker_url:
            chosen["CELERY_BROKER_URL"] = self._settings.broker_url
        else:
            chosen["REDIS_PORT"] = str(ports.choose(6379, self._taken))
            chosen["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{chosen['REDIS_PORT']}/0"
        if not self._settings.mail_host:
            chosen["INBOX_SMTP_PORT"] = str(ports.choose(1025, self._taken))
            chosen["INBOX_HTTP_PORT"] = str(ports.choose(8025, self._taken))
            chosen["INBOX_URL"] = f"http://127.0.0.1:{chosen['INBOX_HTTP_PORT']}"
            chosen.update(MAIL_HOST="127.0.0.1", MAIL_PORT=chosen["INBOX_SMTP_PORT"], MAIL_SECURITY="none")
        for number, program in enumerate(PROGRAMS):
            chosen[program.metrics_port] = str(ports.choose(9101 + number, self._taken))
        if not given.get("SUPERUSER_USERNAME"):
            chosen["SUPERUSER_USERNAME"] = "admin"
            chosen["SUPERUSER_PASSWORD"] = self.secrets["SUPERUSER_PASSWORD"]
        chosen["SUPERUSER_EMAIL"] = given.get("SUPERUSER_EMAIL") or "admin@dicoevent.example"

    def _start_servers(self) -> None:
        embedded = {
            "PostgreSQL": self._settings.embeds_postgres,
            "Redis": "REDIS_PORT" in self.chosen,
            "the inbox": "INBOX_URL" in self.chosen,
        }
        names = [name for name, starts in embedded.items() if starts]
        if names:
            self._say(f"starting {' and '.join([', '.join(names[:-1]), names[-1]][len(names) < 2 :])}")
        if self._settings.embeds_postgres:
            self._start_postgres()
        if "REDIS_PORT" in self.chosen:
            port = int(self.chosen["REDIS_PORT"])
            self._supervisor.start(
                self._server(
                    "redis", redis.command(self._home / "redis", port), lambda _: ports.answers(port)
                )
            )
        if "INBOX_URL" in self.chosen:
            self._supervisor.start(self._child(INBOX))

    def _start_postgres(self) -> None:
        password = self.secrets["POSTGRES_PASSWORD"]
        installation = postgres.prepare(self._home, password)
        port = ports.choose(5433, self._taken)
        url = f"postgresql+psycopg2://{postgres.SUPERUSER}:{password}@127.0.0.1:{port}/postgres"
        self.chosen["DATABASE_URL"] = url
        child = self._server("postgres", installation.command(port), lambda _: accepts(url))
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        child.stop_signal, child.cwd, child.run_as = signal.SIGINT, "/", installation.run_as
        self._supervisor.start(child)

    def _provide_databases(self) -> None:
        urls = dict(self._settings.database_urls)
        if len(urls) < len(SERVICES):
            server = self._settings.server_url or self.chosen["DATABASE_URL"]
            passwords = {s: self.secrets[f"{s.upper()}_DATABASE_PASSWORD"] for s in SERVICES}
            try:
                urls = {**databases.provision(server, passwords), **urls}
            except psycopg2.Error as error:
                raise SettingError("DATABASE_URL", " ".join(str(error).split())) from None
        self.chosen.update({f"{service.upper()}_DATABASE_URL": url for service, url in urls.items()})

    def _write_env(self) -> None:
        given = self._settings.environment
        mail = {name: given[name] for name in ("MAIL_HOST", "MAIL_PORT", "MAIL_FROM") if given.get(name)}
        tokens = {name: self.secrets[name] for name in ("SERVICE_TOKEN", "LINK_SECRET")}
        shown = {**mail, **self.chosen, **tokens}
        file = self._home / "env"
        draft = file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.writelines(f"{name}={value}\n" for name, value in sorted(shown.items()))
        draft.replace(file)
        (self._home / "prometheus.yml").write_text(prometheus.configuration(self.chosen))

    def _migrate(self) -> None:
        result = subprocess.run(
            MIGRATE.command,
            cwd=ROOT,
            env=self.environment(MIGRATE),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            # Ctrl-C goes to everything in the terminal's foreground, and a migration is not to be cut off.
            start_new_session=True,
        )
        (self._home / "log" / "migrate.log").write_text(result.stdout + result.stderr)
        if result.returncode:
            lines = (result.stdout + result.stderr).splitlines()[-15:]
            raise NotHealthyError("migrate", f"ended with exit code {result.returncode}", lines)

    def environment(self, program: Program) -> dict[str, str]:
        """What a process is given: the operator's variables, what was chosen, and only its own secrets."""
        private = {f"{s.upper()}_DATABASE_URL" for s in SERVICES} | {"DATABASE_URL"}
        if program is MIGRATE:
            private = {"DATABASE_URL"}
        elif program.service:
            private.discard(f"{program.service.upper()}_DATABASE_URL")
        values = {**self._settings.environment, **self.chosen}
        values = {name: value for name, value in values.items() if name not in private}
        values.update({name: self.secrets[name] for name in ("SERVICE_TOKEN", "LINK_SECRET")})
        if program.service == "accounts":
            values.setdefault("AUTH_SIGNING_KEY", self.secrets["AUTH_SIGNING_KEY"])
        values.update(
            DICOEVENT_HOME=str(self._home),
            HEARTBEAT_FILE=str(self._home / "run" / f"{program.name}.heartbeat"),
            POSTER_DIR=str(self._home / "posters"),
            INBOX_FILE=str(self._home / "inbox.sqlite"),
            PYTHONUNBUFFERED="1",
        )
        # One process of each: nobody is there to go to meanwhile.
        values.setdefault("DRAIN_SECONDS", "0")
        values.pop("METRICS_BIND", None)
        if program.metrics_port in self.chosen:
            values["METRICS_BIND"] = f"127.0.0.1:{self.chosen[program.metrics_port]}"
        if program.port:
            values["BIND"] = f"127.0.0.1:{self.chosen[program.port]}"
        return values

    def _child(self, program: Program) -> Child:
        heartbeat = self._home / "run" / f"{program.name}.heartbeat"
        heartbeat.unlink(missing_ok=True)
        healthy = _live(int(self.chosen[program.port])) if program.port else lambda _: heartbeat.exists()
        return Child(program.name, program.command, self.environment(program), healthy, str(ROOT))

    def _server(self, name: str, command: list[str], healthy: Callable[[float], bool]) -> Child:
        environment = {"DICOEVENT_HOME": str(self._home), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        return Child(name, command, environment, healthy, str(self._home))


def accepts(url: str) -> bool:
    """Whether the database server takes connections."""
    try:
        psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"), connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _live(port: int) -> Callable[[float], bool]:
    def check(_: float) -> bool:
        if not ports.answers(port):
            return False
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    return check
