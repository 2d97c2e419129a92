"""The table of processes: what runs, with which command, and how one sees that it is well."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from infra.local.settings import SERVICES

CONSUMING = ("events", "tickets", "notifications")


@dataclass(frozen=True, slots=True)
class Program:
    """A process of ours. `port` names the variable its port is in; without one it has a heartbeat file."""

    name: str
    module: tuple[str, ...]
    service: str | None = None
    port: str | None = None

    @property
    def metrics_port(self) -> str:
        """The variable that names the port of its `/metrics`."""
        return f"{self.name.upper().replace('-', '_')}_METRICS_PORT"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", *self.module]

    def read_settings(self, environment: Mapping[str, str]) -> object:
        """What this process makes of its variables; raises what it raises when one of them is wrong."""
        settings = import_module(f"{self.module[0]}.settings")
        read = getattr(settings, "read_settings", None) or settings.load
        return read(environment)


GATEWAY = Program("gateway", ("gateway",), port="PORT")
INBOX = Program("inbox", ("infra.local.inbox",), port="INBOX_HTTP_PORT")
APIS = tuple(
    Program(f"{name}-api", (f"services.{name}", "api"), name, f"{name.upper()}_PORT") for name in SERVICES
)
CONSUMERS = tuple(Program(f"{name}-consumer", (f"services.{name}", "consumer"), name) for name in CONSUMING)
WORKERS = (
    Program("notifications-delivery", ("services.notifications", "delivery"), "notifications"),
    Program("notifications-beat", ("services.notifications", "beat"), "notifications"),
)
PROGRAMS = (GATEWAY, *APIS, *CONSUMERS, *WORKERS)
MIGRATE = Program("migrate", ("services", "migrate"))
