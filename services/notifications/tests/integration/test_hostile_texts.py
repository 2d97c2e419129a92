"""Hostile texts and addresses against a real SMTP server: never a second recipient, a broken header or a dead
worker."""

from email.message import EmailMessage

import pytest

from services.notifications.tests.integration.conftest import World
from shared.testing import example

TEXTS = {
    "carriage return and line feed": "Jazz\r\nBcc: all@dicoevent.example",
    "carriage return": "Jazz\rBcc: all@dicoevent.example",
    "bare line feed": "Jazz\nBcc: all@dicoevent.example",
    "C0": "".join(map(chr, range(1, 32))) + "Jazz",
    "U+2028 and U+2029": "Jazz\u2028Bcc: all@dicoevent.example\u2029x",
    "end of data": "Jazz\n.\nRCPT TO:<all@dicoevent.example>",
    "end of data with CRLF": "Jazz\r\n.\r\nQUIT\r\n",
    "leading dots": ".\n..\n...Jazz",
    "a line of 5,000 letters": "J" * 1900,
    "comma": "Jazz, all@dicoevent.example",
    "address": "Jazz <all@dicoevent.example>, x",
    "template code": "{{ 7 * 7 }}{% for x in () %}{% endfor %}${7*7}{0.__class__}%s",
    "HTML": "<script>alert(1)</script><img src=//dicoevent.example/x>&lt;",
    "bidi overrides": "\u202egnp.zzaJ\u202c \u2066x\u2069",
    "encoded word": "=?utf-8?q?=0D=0ABcc:_all@dicoevent.example?=",
    "quotes and backslashes": '"Jazz\\" <all@dicoevent.example>',
    "emoji and combining": "🎷" * 60 + "e\u0301" * 60,
    "nothing but white space": " \t\u00a0 ",
}
ADDRESSES = {
    "comma": "h2@dicoevent.example,all@dicoevent.example",
    "line break": "h2@dicoevent.example\r\nRCPT TO:<all@dicoevent.example>",
    "angle brackets": "h2@dicoevent.example> <all@dicoevent.example",
    "no domain": "h2",
    "quoted local part": '"a\\"b, all@dicoevent.example"@dicoevent.example',
    "quoted local part with a space": '"a b"@dicoevent.example',
}


def order(world: World, holder: str, **changes: str) -> None:
    message = example("ticket.ordered")
    data = message["data"]
    start = world.now().replace(microsecond=0)
    data["event"].update(id=f"e-{holder}", starts_at=start.replace(year=start.year + 1).isoformat())
    data["holder"].update(id=holder, email=f"{holder}@dicoevent.example", locale="en")
    data["ticket"]["id"] = f"t-{holder}"
    for name, text in changes.items():
        part, _, field = name.partition("_")
        data[part][field] = text
    world.receive(message)


def is_sound(mail: EmailMessage, holder: str) -> bool:
    """One recipient, the headers that we wrote and no other, both bodies, nothing disguised."""
    names = {name.lower() for name in mail.keys()}  # noqa: SIM118 - a message's iterator is not its names
    expected = {
        "to", "date", "message-id", "subject", "from", "auto-submitted", "mime-version", "content-type",
        "content-language", "list-unsubscribe", "list-unsubscribe-post", "x-peer", "x-mailfrom", "x-rcptto",
    }  # fmt: skip
    [to] = mail["To"].addresses
    html = mail.get_body(("html",)).get_content()
    text = str(mail["Subject"]) + str(mail["To"]) + mail.get_body(("plain",)).get_content() + html
    return (
        to.addr_spec == f"{holder}@dicoevent.example"
        and names <= expected
        and "<script" not in html
        and "<img src=//" not in html
        and not any(letter in text for letter in "\u202e\u2066\u202c\u2069\x00")
    )


@pytest.mark.parametrize("where", ["event", "person", "place and note", "code"])
def test_no_text_makes_a_second_recipient_or_breaks_a_header(world: World, where: str) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, confirm_orders=True)
    for number, text in enumerate(TEXTS.values()):
        changes = {
            "event": {"event_name": text},
            "person": {"holder_name": text},
            "place and note": {"event_location": text, "event_reminder_note": text},
            "code": {"ticket_code": text},
        }[where]
        order(world, f"h{number}", **changes)
    world.deliver()
    assert sorted(world.server.recipients()) == sorted(f"h{n}@dicoevent.example" for n in range(len(TEXTS)))
    for mail in world.server.mails:
        holder = mail["To"].addresses[0].addr_spec.partition("@")[0]
        assert is_sound(mail, holder), (holder, mail.as_string()[:2000])


def test_a_line_of_5000_letters_in_the_note_is_wrapped_and_whole(world: World) -> None:
    note = "n" * 2000
    order(world, "h1", event_reminder_note=note, event_name="E" * 2000, event_location="L" * 2000)
    from dataclasses import replace

    world.settings = replace(world.settings, confirm_orders=True)
    order(world, "h2", event_reminder_note=note, event_name="E" * 2000, event_location="L" * 2000)
    world.deliver()
    [mail] = world.server.mails
    assert note in mail.get_body(("plain",)).get_content()
    assert len(mail.as_bytes()) < 30_000


def test_a_note_keeps_its_lines_and_its_dots(world: World) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, confirm_orders=True)
    order(world, "h1", event_reminder_note="first\n.\n..second\r\n.third")
    world.deliver()
    text = world.server.mails[0].get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert "first\n.\n..second\n.third\n" in text
    assert "first<br>" in world.server.mails[0].get_body(("html",)).get_content()


@pytest.mark.parametrize("name", [*ADDRESSES, "NUL"])
def test_an_address_that_is_none_is_refused_or_fails_alone(world: World, name: str) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, confirm_orders=True)
    order(world, "h1")
    order(world, "h2", holder_email=ADDRESSES.get(name, "h2\x00@dicoevent.example"))
    order(world, "h3")
    world.deliver()
    good = {"h1@dicoevent.example", "h3@dicoevent.example"}
    assert good <= set(world.server.recipients())
    assert "all@dicoevent.example" not in world.server.recipients()
    assert len(world.server.recipients()) <= 3
    assert all(len(mail["To"].addresses) == 1 for mail in world.server.mails)


def test_an_internationalized_domain_is_written_to_in_its_ascii_form(world: World) -> None:
    from dataclasses import replace

    world.settings = replace(world.settings, confirm_orders=True)
    order(world, "h1", holder_email="sari@müsik.example")
    world.deliver()
    assert world.server.recipients() == ["sari@xn--msik-0ra.example"]
