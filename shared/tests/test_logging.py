"""No address and no secret stands in a log line, whoever wrote it and however it got into the text."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.logging.masking import mask, mask_text

ROOT = Path(__file__).parents[2]

URLS = [
    "postgresql+psycopg2://tickets:s3cr3t-pw@db:5432/dicoevent_tickets",
    "redis://:s3cr3t-pw@redis.example:6379/0",
    "rediss://default:s3cr3t-pw@[::1]:6379",
    "postgresql://u:p@ss/w#s3cr3t-pw@db.example/x?sslmode=require",
]
SECRETS = [
    "Authorization: Bearer s3cr3t-pw",
    "authorization='Basic s3cr3t-pw'",
    '{"password": "two words and s3cr3t-pw"}',
    "host=db password=s3cr3t-pw dbname=x",
    "X-Service-Token: s3cr3t-pw",
    "SERVICE_TOKEN=s3cr3t-pw",
    "refresh_token=s3cr3t-pw&x=1",
    "GET /unsubscribe/s3cr3t-pw?x=1",
    "MAIL_PASSWORD='s3cr3t-pw'",
    "-----BEGIN PRIVATE KEY-----\ns3cr3t-pw\n-----END PRIVATE KEY-----",
]
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl"


@pytest.mark.parametrize("text", URLS + SECRETS)
def test_a_secret_is_taken_out_of_a_text(text: str) -> None:
    assert "s3cr3t" not in mask_text(f"could not connect: {text} (try again)")


@pytest.mark.parametrize("url", URLS)
def test_the_host_of_a_url_is_still_there(url: str) -> None:
    assert url.rpartition("@")[2] in mask_text(url)


def test_a_token_is_taken_out_without_a_word_before_it() -> None:
    assert "eyJ" not in mask_text(f"refused {JWT}, it is old")


@given(address=st.emails(), before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_address_is_left_in_a_text(address: str, before: str, after: str) -> None:
    assert address not in mask_text(f"{before} {address} {after}")


@pytest.mark.parametrize(
    "address",
    [
        "sari@contoh.example",
        '"sari dewi"@contoh.example',
        "jörg@müller.example",
        "用户@例子.公司",
        "a@[127.0.0.1]",
    ],
)
def test_addresses_of_every_kind_are_taken_out(address: str) -> None:
    assert mask_text(f"550 <{address}>: no such user").count("@") == 0


@given(
    st.recursive(
        st.sampled_from(["sari@contoh.example", f"Bearer {JWT}", 1, None, 2.5, b"sari@contoh.example"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner) | st.tuples(inner),
        max_leaves=20,
    )
)
def test_nothing_is_left_in_whatever_container(value: object) -> None:
    assert "sari" not in json.dumps(mask(value))
    assert "eyJ" not in json.dumps(mask(value))


def test_a_field_with_the_name_of_a_secret_is_hidden_whatever_is_in_it() -> None:
    assert mask({"password": "plain", "nested": {"service_token": "x1"}}) == {
        "password": "[hidden]",
        "nested": {"service_token": "[hidden]"},
    }


@pytest.mark.parametrize("text", ["took 12 ms", "ticket.ordered", "a/b", "ratio 3:4"])
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask_text(text) == text


PROGRAM = """
import logging, threading, warnings, structlog
from shared.logging import configure
configure("probe")
log = structlog.get_logger("ours")
logging.getLogger("kombu").warning("Connected to %s for %s", "redis://:s3cr3t@h/0", "sari@contoh.example")
log.info("delivery.result", delivery=7, answer="550 <sari@contoh.example> unknown", request_id="r-1")
try:
    raise ValueError("sari@contoh.example has the token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln")
except ValueError:
    log.exception("failed")
    logging.getLogger("celery").exception("failed too")
warnings.warn("sari@contoh.example")
def die(): raise RuntimeError("sari@contoh.example")
thread = threading.Thread(target=die, name="worker"); thread.start(); thread.join()
raise RuntimeError("password=s3cr3t for sari@contoh.example")
"""


def test_every_way_into_the_log_is_masked_and_ends_as_one_json_line_each() -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"].split()[0] for line in lines][:4] == [
        "Connected",
        "delivery.result",
        "failed",
        "failed",
    ]
    assert len(lines) == 7
    assert (lines[1]["delivery"], lines[1]["request_id"], lines[1]["process"]) == (7, "r-1", "probe")
    assert all("Traceback" in line["exception"] for line in (*lines[2:4], *lines[5:]))
    for leak in ("sari", "s3cr3t", "eyJ"):
        assert leak not in result.stdout + result.stderr
    assert result.returncode == 1


def test_a_terminal_gets_lines_for_people() -> None:
    from shared.logging import _renderer

    line = _renderer(True)(None, "info", {"event": "listening", "level": "info", "port": 8000})
    assert "listening" in line
    assert not line.startswith("{")
