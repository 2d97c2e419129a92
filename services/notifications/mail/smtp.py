"""Opens conversations with the mail server: TLS, EHLO, AUTH; and what a mail needs of each server."""

import asyncio
import base64
import re
import socket
import ssl

import idna

from services.notifications.errors import MailServerAway
from services.notifications.mail.replies import Reply
from services.notifications.mail.session import Done, Session
from services.notifications.model import Answer
from services.notifications.settings import MailSettings

_BREAKS_OUT = re.compile(r"[\x00-\x20\x7f<>]")


def make_context(settings: MailSettings) -> ssl.SSLContext | None:
    """Verifies the server's certificate and name, against MAIL_CA_FILE alone if that is set."""
    if settings.security == "none":
        return None
    return ssl.create_default_context(cafile=settings.ca_file)


async def open_session(settings: MailSettings, context: ssl.SSLContext | None) -> Session:
    """A session ready for mail; raises MailServerAway with what the server said."""
    loop = asyncio.get_running_loop()
    session = Session(loop)
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            implicit = context if settings.security == "tls" else None
            await loop.create_connection(lambda: session, settings.host, settings.port, ssl=implicit)
            _want(await session.reply(), 220)
            await _ehlo(session)
            if settings.security == "starttls" and context is not None:
                await _start_tls(session, settings.host, context)
            if settings.user:
                await _authenticate(session, settings.user, settings.password)
    except (OSError, TimeoutError, MailServerAway) as error:
        session.abort("not opened")
        if isinstance(error, MailServerAway):
            raise
        raise MailServerAway(f"{type(error).__name__}: {error}") from None
    except asyncio.CancelledError:
        session.abort("not opened")
        raise
    return session


def _want(reply: Reply, *codes: int) -> Reply:
    if reply.code not in codes:
        raise MailServerAway(str(reply))
    return reply


async def _ehlo(session: Session) -> None:
    name = socket.gethostname().encode("ascii", "ignore") or b"localhost"
    reply = await session.command(b"EHLO " + name)
    if reply.code in (500, 502, 504):
        _want(await session.command(b"HELO " + name), 250)
        session.extensions = {}
        return
    lines = _want(reply, 250).text.split("\n")[1:]
    session.extensions = {line.split(" ")[0].upper(): line.partition(" ")[2] for line in lines}


async def _start_tls(session: Session, host: str, context: ssl.SSLContext) -> None:
    if "STARTTLS" not in session.extensions:
        raise MailServerAway("the server offers no STARTTLS; nothing is sent in clear")
    _want(await session.command(b"STARTTLS"), 220)
    if not session.silent:
        # RFC 3207 5: what came before TLS may be an attacker's.
        raise MailServerAway("the server spoke before TLS began")
    loop = asyncio.get_running_loop()
    secured = await loop.start_tls(session.transport, session, context, server_hostname=host)
    if secured is None:
        raise MailServerAway("the connection was lost while TLS began")
    session.secured(secured)
    await _ehlo(session)


async def _authenticate(session: Session, user: str, password: str) -> None:
    offered = session.extensions.get("AUTH", "").upper().split()
    if "PLAIN" in offered:
        secret = base64.b64encode(f"\0{user}\0{password}".encode())
        _want(await session.command(b"AUTH PLAIN " + secret), 235)
    elif "LOGIN" in offered:
        _want(await session.command(b"AUTH LOGIN"), 334)
        _want(await session.command(base64.b64encode(user.encode())), 334)
        _want(await session.command(base64.b64encode(password.encode())), 235)
    else:
        raise MailServerAway(
            f"the server offers neither AUTH PLAIN nor LOGIN, but {' '.join(offered) or '-'}"
        )


def wire_address(address: str) -> str:
    """An address whose domain is ASCII (RFC 5891), so that SMTPUTF8 is needed for the local part only."""
    if not address or _BREAKS_OUT.search(address):
        raise ValueError(f"{address!r} is not an address that can be written to")
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"{address!r}: {error}") from None
    return f"{local}@{domain}"


def stuffed(mail: bytes) -> bytes:
    """A mail in CRLF lines as DATA wants it: dot-stuffed (RFC 5321 4.5.2), with the final dot."""
    if mail.startswith(b"."):
        mail = b"." + mail
    if b"\r\n." in mail:
        mail = mail.replace(b"\r\n.", b"\r\n..")
    return mail + (b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n")


def hand_over(
    session: Session, sender: str, address: str, mail: bytes, patience: tuple[float, float], done: Done
) -> None:
    """Sends one mail on an open session; `done` gets the answer, later or at once."""
    extensions = session.extensions
    options = b" SIZE=%d" % len(mail) if "SIZE" in extensions else b""
    if not address.isascii():
        if "SMTPUTF8" not in extensions:
            done(session, Answer(553, "5.6.7 the server takes no addresses that are not ASCII (RFC 6531)"))
            return
        options += b" SMTPUTF8"
    if not mail.isascii():
        if "8BITMIME" not in extensions:
            done(session, Answer(554, "5.6.1 the server takes no 8-bit mail (RFC 6152)"))
            return
        options += b" BODY=8BITMIME"
    commands = [
        b"MAIL FROM:<%b>%b\r\n" % (sender.encode(), options),
        b"RCPT TO:<%b>\r\n" % address.encode(),
        b"DATA\r\n",
    ]
    session.send(commands, stuffed(mail), patience, done)


async def send_one(settings: MailSettings, sender: str, address: str, mail: bytes) -> Answer:
    """Opens a connection for one mail; raises MailServerAway."""
    session = await open_session(settings, make_context(settings))
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    limit = float(settings.timeout_seconds)
    hand_over(session, sender, address, mail, (limit, limit), lambda _, said: answer.set_result(said))
    try:
        async with asyncio.timeout(2 * limit):
            return await answer
    except TimeoutError:
        return Answer(0, f"no answer within {2 * limit:.0f} s")
    finally:
        session.close()
