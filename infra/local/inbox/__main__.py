"""`python -m infra.local.inbox`: SMTP on INBOX_SMTP_PORT (1025), page and API on INBOX_HTTP_PORT (8025).

The mails are kept in INBOX_FILE, and in memory without one.
"""

import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from infra.local.inbox.mailbox import Mailbox
from infra.local.inbox.smtp import make_session
from infra.local.inbox.web import make_app
from shared.settings import SettingError, integer, process_environment


async def serve(host: str, smtp_port: int, http_port: int, file: Path | None) -> None:
    """Takes and shows mail until SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    mailbox = Mailbox(file)
    server = await loop.create_server(lambda: make_session(mailbox), host, smtp_port)
    runner = web.AppRunner(make_app(mailbox), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, http_port).start()
    await stopped.wait()
    server.close()
    await runner.cleanup()
    mailbox.close()


def main() -> int:
    """0 after an orderly stop."""
    env = process_environment()
    try:
        smtp_port = integer(env, "INBOX_SMTP_PORT", 1025, 1, 65535)
        http_port = integer(env, "INBOX_HTTP_PORT", 8025, 1, 65535)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    file = Path(env["INBOX_FILE"]) if env.get("INBOX_FILE") else None
    asyncio.run(serve(env.get("INBOX_HOST") or "127.0.0.1", smtp_port, http_port, file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
