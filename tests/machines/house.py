"""The whole system with each part on a machine of its own."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from infra.local import databases, postgres, redis, secret_store
from infra.local.processes import MIGRATE
from infra.local.system import accepts
from shared.database import make_engine
from shared.testing import wait_until
from tests.e2e.client import PASSWORD, RunningSystem
from tests.machines.network import ROOT, Machine, Network

SERVICES = ("accounts", "events", "tickets", "notifications")
PORTS = {service: 8101 + number for number, service in enumerate(SERVICES)}
GATEWAY_PORT, SMTP_PORT, SUPERUSER = 8000, 2525, "root"


@dataclass
class House(RunningSystem):
    """Machines: `data` (PostgreSQL and Redis), `mail`, and one for each process that is started."""

    home: Path
    net: Network
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def env(self) -> Mapping[str, str]:
        return {"API_URL": f"http://{self.net.machine('gateway').address}:{GATEWAY_PORT}"}

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        environment = {**os.environ, **self.environment, **variables}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True
        )

    # -- servers -------------------------------------------------------------------------------------------

    def start_data(self) -> None:
        """PostgreSQL (durable, as scripts/up starts it) and Redis, with four migrated databases."""
        machine, secrets = self.net.machine("data"), secret_store.load_or_make(self.home)
        password = secrets["POSTGRES_PASSWORD"]
        installation = postgres.prepare(self.home, password)
        with (installation.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.net.addresses} scram-sha-256\n")
        user = installation.run_as.get("user", "")
        command = installation.command(5432, "-c", "listen_addresses=*")
        self.processes["postgres"] = machine.start(
            command, {"LC_ALL": "C.UTF-8"}, self._log("postgres"), user
        )
        options = ["--bind", machine.address, "--protected-mode", "no"]
        self.processes["redis"] = machine.start(
            [*redis.command(self.home / "redis", 6379), *options], {}, self._log("redis")
        )
        url = f"postgresql+psycopg2://{postgres.SUPERUSER}:{password}@{machine.address}:5432/postgres"
        wait_until(lambda: accepts(url), "PostgreSQL accepts connections", 120)
        passwords = {service: secrets[f"{service.upper()}_DATABASE_PASSWORD"] for service in SERVICES}
        urls = databases.provision(url, passwords)
        self.environment.update({f"{service.upper()}_DATABASE_URL": urls[service] for service in SERVICES})
        self.environment.update(
            {name: secrets[name] for name in ("SERVICE_TOKEN", "LINK_SECRET", "AUTH_SIGNING_KEY")},
            CELERY_BROKER_URL=f"redis://{machine.address}:6379/0",
            DATABASE_URL=url,
            SUPERUSER_USERNAME=SUPERUSER,
            SUPERUSER_PASSWORD=PASSWORD,
            LOGIN_ATTEMPTS_PER_MINUTE="100000",
            LOGIN_RATE_PER_MINUTE="100000",
            LOG_LEVEL="warning",
            POSTER_DIR=str(self.home / "posters"),
            PYTHONUNBUFFERED="1",
        )
        self.run(*MIGRATE.module)

    def start_mail(self, milliseconds: int) -> None:
        """A mail server that takes so long for each mail."""
        machine = self.net.machine("mail")
        arguments = [machine.address, str(SMTP_PORT), str(milliseconds), str(self.home / "book")]
        command = [sys.executable, "-m", "tests.machines.mail_server", *arguments]
        self.processes["mail"] = machine.start(command, {}, self._log("mail"))
        self.environment.update(MAIL_HOST=machine.address, MAIL_PORT=str(SMTP_PORT), MAIL_SECURITY="none")

    # -- processes of ours ---------------------------------------------------------------------------------

    def api_name(self, service: str, number: int) -> str:
        return f"{service}{number}"

    def place(self, replicas: int) -> None:
        """Says to everybody where so many replicas of each API are."""
        for service in SERVICES:
            machines = [self.net.machine(self.api_name(service, n)) for n in range(1, replicas + 1)]
            urls = [f"http://{machine.address}:{PORTS[service]}" for machine in machines]
            self.environment[f"{service.upper()}_URL"] = ",".join(urls)

    def start_api(self, service: str, number: int) -> None:
        """One replica, answering."""
        name = self.api_name(service, number)
        machine = self.net.machine(name)
        bind = f"{machine.address}:{PORTS[service]}"
        self._start(name, machine, (f"services.{service}", "api"), BIND=bind)
        self.wait_live(f"http://{bind}", name)

    def start_gateway(self, **variables: str) -> None:
        machine = self.net.machine("gateway")
        bind = f"{machine.address}:{GATEWAY_PORT}"
        self._start("gateway", machine, ("gateway",), **{"BIND": bind, **variables})
        self.wait_live(self.env["API_URL"], "gateway")

    def start_worker(self, name: str, *module: str, **variables: str) -> None:
        """A process without a port, ready: its heartbeat says so."""
        heartbeat = self.home / f"{name}.heartbeat"
        heartbeat.unlink(missing_ok=True)
        self._start(name, self.net.machine(name), module, HEARTBEAT_FILE=str(heartbeat), **variables)
        wait_until(heartbeat.exists, f"{name} is ready", 120)

    def _start(self, name: str, machine: Machine, module: tuple[str, ...], **variables: str) -> None:
        command = [sys.executable, "-m", *module]
        self.processes[name] = machine.start(command, {**self.environment, **variables}, self._log(name))

    def stop(self, *names: str) -> None:
        """SIGTERM; returns when they have ended, in order."""
        for name in names:
            self.processes[name].send_signal(signal.SIGTERM)
        for name in names:
            code = self.processes.pop(name).wait(60)
            assert code == 0, f"{name} ended with {code}, see {self._log(name)}"

    def wait_live(self, url: str, name: str) -> None:
        def live() -> bool:
            assert self.processes[name].poll() is None, self._log(name).read_text()[-2000:]
            try:
                return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(live, f"{name} answers", 120)

    def health(self) -> dict[str, str]:
        """Service -> how its replicas are, as the gateway sees them."""
        answer = httpx.get(f"{self.env['API_URL']}/health", timeout=10)
        return {name: check["status"] for name, check in answer.json()["checks"].items()}

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    # -- looking -------------------------------------------------------------------------------------------

    @contextmanager
    def database(self, service: str) -> Iterator[sa.Connection]:
        """A connection of the operator's, from outside."""
        engine = make_engine(self.environment[f"{service.upper()}_DATABASE_URL"], "bench", pool_size=1)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def number(self, service: str, query: str, **values: object) -> int:
        """One number from a service's database."""
        with self.database(service) as connection:
            return int(connection.scalar(sa.text(query), values) or 0)

    def mails(self) -> Counter[str]:
        """Address -> how many mails the server took for it."""
        book = self.home / "book"
        return Counter(book.read_text().split()) if book.exists() else Counter()

    def requests_of(self, service: str, number: int) -> int:
        """How many requests of clients a replica has answered."""
        address = self.net.machine(self.api_name(service, number)).address
        page = httpx.get(f"http://{address}:{PORTS[service]}/metrics", timeout=10).text
        return round(
            sum(
                sample.value
                for family in text_string_to_metric_families(page)
                for sample in family.samples
                if sample.name == "dicoevent_http_requests_total"
                and not sample.labels["route"].startswith(("/health", "/metrics", "/internal"))
            )
        )

    def cpu_seconds(self, name: str) -> float:
        """User and system time of a process and its children so far."""
        process = psutil.Process(self.processes[name].pid)
        times = process.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        for child in process.children(recursive=True):
            try:
                spent = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system
        return total
