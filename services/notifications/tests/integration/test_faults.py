"""The mail server fails at each step: nothing is lost, and nothing comes twice without need."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.notifications import leases, ledger
from services.notifications.planning import plan_due
from services.notifications.tests.integration.conftest import World
from shared.testing import Fault, FaultyMailServer


@pytest.fixture
def faulty() -> Iterator[FaultyMailServer]:
    with FaultyMailServer() as server:
        yield server


def due(world: World, server: FaultyMailServer, holders: int = 1, **mail: object) -> None:
    for n in range(holders):
        world.order(holder=f"h{n}")
    plan_due(world.engine, world.settings)
    world.mail = replace(world.mail, host="127.0.0.1", port=server.port, **mail)


def once(point: str, fault: Fault):
    """The fault at the first time this point is reached, and no other."""
    left = [fault]
    return lambda at, recipient: left.pop() if at == point and left else None


def always(point: str, fault: Fault):
    return lambda at, recipient: fault if at == point else None


BREAKS = ("close", "silence", "endless", "drip")


def each_once(faults: dict[str, tuple[str, Fault]]):
    """To each recipient his own fault at his own point, once."""
    left = dict(faults)

    def choose(point: str, recipient: str) -> Fault | None:
        holder = recipient.partition("@")[0]
        if holder in left and left[holder][0] == point:
            return left.pop(holder)[1]
        return None

    return choose


@pytest.mark.parametrize("point", ["connect", "helo"])
def test_a_server_that_breaks_before_mail_costs_no_attempt(
    world: World, faulty: FaultyMailServer, point: str
) -> None:
    due(world, faulty, timeout_seconds=1)
    left = [Fault(do) for do in BREAKS]
    faulty.choose = lambda at, recipient: left.pop() if at == point and left else None
    world.deliver()
    assert [n.recipient for n in faulty.noted] == ["h0@dicoevent.example"]
    assert faulty.connections == len(BREAKS) + 1
    with world.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT attempts FROM deliveries")) == 1


def test_a_break_before_the_final_dot_is_tried_again_and_comes_once(
    world: World, faulty: FaultyMailServer
) -> None:
    cases = [(point, Fault(do)) for point in ("rcpt", "data") for do in BREAKS]
    due(world, faulty, len(cases), timeout_seconds=1, max_connections=len(cases))
    faulty.choose = each_once({f"h{n}": case for n, case in enumerate(cases)})
    world.deliver()
    assert set(world.states().values()) == {"retry"}
    assert faulty.noted == []
    world.later(timedelta(seconds=80))
    faulty.choose = lambda at, recipient: None
    world.settings = replace(world.settings, max_attempts=9)
    world.deliver()
    assert set(world.states().values()) == {"accepted"}
    assert set(faulty.copies().values()) == {1}


@pytest.mark.parametrize("resend", [True, False], ids=["resend", "hold"])
def test_after_the_final_dot_the_operators_setting_decides(
    world: World, faulty: FaultyMailServer, resend: bool
) -> None:
    cases = [(point, Fault(do)) for point in ("dot", "noted") for do in BREAKS]
    world.settings = replace(world.settings, resend_unknown=resend)
    due(world, faulty, len(cases), final_timeout_seconds=1, max_connections=len(cases))
    faulty.choose = each_once({f"h{n}": case for n, case in enumerate(cases)})
    world.deliver()
    assert set(world.states().values()) == {"retry" if resend else "unknown"}
    world.later(timedelta(seconds=80))
    world.deliver()
    assert set(world.states().values()) == {"accepted" if resend else "unknown"}
    for n, (point, _) in enumerate(cases):
        copies = [noted.data for noted in faulty.noted if noted.recipient == f"h{n}@dicoevent.example"]
        assert len(copies) == (point == "noted") + resend
        assert len(set(copies)) <= 1


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelining", "step by step"])
def test_a_refusal_at_each_step_is_of_this_recipient_only(world: World, extensions: tuple[str, ...]) -> None:
    replies = {"451 4.3.0 later": "retry", "452 4.2.2 full": "retry", "554 5.6.0 no": "failed"}
    cases = [(point, reply) for point in ("rcpt", "data", "dot") for reply in replies]
    with FaultyMailServer(extensions) as server:
        due(world, server, len(cases) + 3, max_connections=1)
        faults = {f"h{n}": (point, Fault("reply", reply)) for n, (point, reply) in enumerate(cases)}
        server.choose = each_once(faults)
        world.deliver()
        expected = {f"h{n}": replies[reply] for n, (_, reply) in enumerate(cases)}
        expected |= {f"h{n}": "accepted" for n in range(len(cases), len(cases) + 3)}
        assert world.states() == expected
        assert set(server.copies().values()) == {1}
        assert server.connections == 1


def test_a_sender_that_is_refused_once_does_not_spoil_the_connection(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty, 3, max_connections=1)
    faulty.choose = once("mail", Fault("reply", "451 4.3.0 later"))
    world.deliver()
    assert sorted(world.states().values()) == ["accepted", "accepted", "retry"]
    assert faulty.connections == 1


def test_an_address_that_the_server_does_not_know_is_suppressed(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty)
    faulty.choose = always("rcpt", Fault("reply", "550 5.1.1 no such user"))
    world.deliver()
    assert world.states() == {"h0": "failed"}
    with world.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT address, reason, detail FROM suppressions")).one()
    assert row.address == "h0@dicoevent.example"
    assert "5.1.1 no such user" in row.detail


def test_a_policy_refusal_pauses_the_campaign_until_its_time_is_over(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty, 5, max_connections=1)
    faulty.choose = once("rcpt", Fault("reply", "550 5.7.1 looks like spam"))
    world.deliver()
    # What was in hand already may go; nothing more is taken up.
    world.deliver()
    with world.engine.connect() as connection:
        [pause] = leases.pauses(connection, "e1")
    assert (pause.kind, pause.reason) == ("reminder", "550 5.7.1 looks like spam")
    for n in range(5, 8):
        world.order(holder=f"h{n}")
    sent = len(faulty.noted)
    world.deliver()
    assert len(faulty.noted) == sent
    world.later(world.settings.pause)
    world.deliver()
    assert sorted(set(world.states().values())) == ["accepted", "failed"]
    assert len(faulty.noted) == 7


def test_an_operators_retry_ends_the_pause(world: World, faulty: FaultyMailServer) -> None:
    due(world, faulty, 1)
    faulty.choose = once("rcpt", Fault("reply", "550 5.7.1 looks like spam"))
    world.deliver()
    world.order(holder="h1")
    world.deliver()
    assert world.states() == {"h0": "failed", "h1": "pending"}
    with world.engine.begin() as connection:
        delivery = connection.scalar(sa.text("SELECT id FROM deliveries WHERE holder_id = 'h0'"))
        ledger.retry_delivery(connection, str(delivery))
    world.deliver()
    assert set(world.states().values()) == {"accepted"}


def test_421_closes_the_connection_and_the_recipient_is_tried_again(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty, 3, max_connections=1)
    faulty.choose = once("mail", Fault("reply", "421 4.3.2 shutting down"))
    world.deliver()
    assert sorted(world.states().values()) == ["accepted", "accepted", "retry"]
    assert faulty.connections == 2


def test_a_server_that_only_says_421_is_left_alone_after_five(world: World, faulty: FaultyMailServer) -> None:
    due(world, faulty, 30, max_connections=1)
    faulty.choose = always("connect", Fault("reply", "421 4.7.0 not now"))
    world.deliver()
    assert faulty.connections == 5
    assert set(world.states().values()) == {"pending"}


def test_never_more_connections_than_allowed_and_each_for_so_many_mails(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty, 40, max_connections=4, connection_mails=5)
    world.deliver()
    assert faulty.most_open <= 4
    assert faulty.connections >= 8
    assert set(faulty.copies().values()) == {1}
    assert len(faulty.noted) == 40


def test_a_server_that_offers_no_starttls_gets_nothing_in_clear(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty, 1, security="starttls", user="u", password="secret")
    world.deliver()
    assert world.states() == {"h0": "pending"}
    assert faulty.envelopes == []


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server's context for 127.0.0.1, and the file of the authority that signed it."""
    import ipaddress
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, str(public)


def test_starttls_with_a_known_authority_and_a_password_delivers(world: World, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with FaultyMailServer(tls=context, credentials=("u", "secret")) as server:
        due(world, server, 3, security="starttls", ca_file=authority, user="u", password="secret")
        world.deliver()
        assert set(world.states().values()) == {"accepted"}


def test_a_certificate_that_nobody_signed_gets_nothing(world: World, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with FaultyMailServer(tls=context) as server:
        due(world, server, 1, security="starttls")
        world.deliver()
        assert world.states() == {"h0": "pending"}
        assert server.envelopes == []


def test_a_wrong_password_costs_no_attempt(world: World, tmp_path: Path) -> None:
    context, authority = certificate(tmp_path)
    with FaultyMailServer(tls=context, credentials=("u", "secret")) as server:
        due(world, server, 1, security="starttls", ca_file=authority, user="u", password="wrong")
        world.deliver()
        assert world.states() == {"h0": "pending"}


def test_an_address_that_is_not_ascii_goes_where_it_can(world: World, faulty: FaultyMailServer) -> None:
    due(world, faulty, 2)
    with world.engine.begin() as connection:
        connection.execute(sa.text("UPDATE holders SET email = 'žofie@dicoevent.example' WHERE id = 'h0'"))
        connection.execute(sa.text("UPDATE holders SET email = 'x@bücher.example' WHERE id = 'h1'"))
    world.deliver()
    assert set(faulty.copies()) == {"žofie@dicoevent.example", "x@xn--bcher-kva.example"}
    assert sum("SMTPUTF8" in line for line in faulty.envelopes) == 1


def test_lines_that_begin_with_a_dot_arrive_as_they_are(world: World, faulty: FaultyMailServer) -> None:
    world.order(name="...", location=".\n..\n.hidden")
    world.mail = replace(world.mail, port=faulty.port)
    world.deliver()
    [noted] = faulty.noted
    assert "..." in noted.mail["Subject"]
    assert max(map(len, noted.data.split(b"\r\n"))) <= 998


def test_after_a_refusal_the_words_are_new_and_the_identity_is_not(
    world: World, faulty: FaultyMailServer
) -> None:
    due(world, faulty)
    seen: list[str] = []
    faulty.choose = once("dot", Fault("reply", "451 4.3.0 later"))
    world.deliver()
    with world.engine.begin() as connection:
        connection.execute(sa.text("UPDATE holders SET email = 'new@dicoevent.example'"))
        seen.append(connection.scalar(sa.text("SELECT composed_at FROM deliveries")))
    world.later(timedelta(minutes=30))
    world.deliver()
    [noted] = faulty.noted
    assert noted.recipient == "new@dicoevent.example"
    text = noted.mail.get_body(("plain",)).get_content()
    assert "1 hour 30 minutes" in text
    assert noted.mail["Date"].datetime == seen[0].replace(microsecond=0)


@pytest.mark.parametrize("where", ["connect", "dot"])
def test_what_waits_behind_a_relay_that_hangs_is_worded_anew(
    world: World, faulty: FaultyMailServer, where: str
) -> None:
    world.settings = replace(world.settings, lease=timedelta(seconds=1))
    due(world, faulty, 2, max_connections=1, timeout_seconds=2, final_timeout_seconds=2)
    faulty.choose = once(where, Fault("silence"))
    world.deliver()
    with world.engine.connect() as connection:
        query = "SELECT max(sending_at - worded_at) FROM deliveries WHERE state = 'accepted'"
        assert connection.scalar(sa.text(query)) < timedelta(seconds=1)
