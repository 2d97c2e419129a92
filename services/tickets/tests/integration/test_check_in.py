"""At the door: codes, their pictures, and who comes in."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
import segno
from PIL import Image

from services.tickets.tests.house import ORGANIZER, person

PATH = "/api/tickets/check-in/"


def scan(house: Any, code: str, who: dict[str, str] | None = None) -> Any:
    return house.client.post(PATH, json={"code": code}, headers=who or house.organizer)


def test_a_ticket_comes_in_once_and_then_it_is_said_when_and_by_whom(house: Any) -> None:
    house.receive("user.registered", person(ORGANIZER, name="Budi"))
    order = house.order(house.make_type()).json()
    first = scan(house, order["code"])
    assert (first.status_code, first.json()["id"], first.json()["status"]) == (200, order["id"], "checked_in")
    again = scan(house, order["code"], house.admin)
    body = again.json()
    assert again.status_code == body["status"] == 409
    assert body["checked_in_at"] == first.json()["checked_in_at"]
    assert (body["checked_in_by"], body["checked_in_by_name"]) == (ORGANIZER, "Budi")
    assert "by Budi" in body["detail"]
    at = datetime.fromisoformat(body["checked_in_at"])
    assert at.isoformat(timespec="seconds") in body["detail"]


@pytest.mark.parametrize("form", [str.lower, lambda c: f" {c[:5]}-{c[5:]} ", lambda c: " ".join(c)])
def test_a_code_is_read_as_people_write_it(house: Any, form: Any) -> None:
    order = house.order(house.make_type()).json()
    assert scan(house, form(order["code"])).status_code == 200


def test_of_many_scans_at_once_one_lets_in(house: Any) -> None:
    code = house.order(house.make_type()).json()["code"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: scan(house, code).status_code, range(8)))
    assert Counter(answers) == {200: 1, 409: 7}


def test_only_staff_of_the_event_check_in(house: Any) -> None:
    code = house.order(house.make_type()).json()["code"]
    for who in (house.user, house.rival):
        assert scan(house, code, who).status_code == 403
    assert scan(house, "AAAAAAAAAA", house.user).status_code == 403
    assert house.client.post(PATH, json={"code": code}).status_code == 401
    assert scan(house, code, house.admin).status_code == 200


def test_a_code_of_nothing_is_404_and_a_cancelled_ticket_409(house: Any) -> None:
    order = house.order(house.make_type()).json()
    for code in ("AAAAAAAAAA", "", "K7", "\x00", "é" * 10):
        assert scan(house, code).status_code == 404
    assert house.client.post(PATH, json={"code": 1}, headers=house.organizer).status_code == 400
    assert house.client.post(PATH, json={}, headers=house.organizer).status_code == 400
    path = f"/api/registrations/{order['id']}/"
    house.client.patch(path, json={"status": "cancelled"}, headers=house.user)
    answer = scan(house, order["code"])
    assert (answer.status_code, answer.json()["detail"]) == (409, "This ticket is cancelled.")


def test_the_way_to_the_door_is_no_ticket_type(house: Any) -> None:
    assert house.client.get(PATH, headers=house.organizer).status_code == 405
    assert house.client.delete(PATH, headers=house.organizer).status_code == 405


def test_staff_undo_a_check_in(house: Any) -> None:
    order = house.order(house.make_type()).json()
    scan(house, order["code"])
    path = f"/api/registrations/{order['id']}/"
    answer = house.client.patch(path, json={"status": "registered"}, headers=house.organizer).json()
    assert (answer["status"], answer["checked_in_at"], answer["checked_in_by"]) == ("registered", "", "")
    assert scan(house, order["code"]).status_code == 200


def test_the_picture_is_the_codes_own_qr_for_its_holder_and_staff(house: Any) -> None:
    order = house.order(house.make_type()).json()
    path = f"/api/registrations/{order['id']}/qr.png"
    for who in (house.user, house.organizer, house.admin):
        answer = house.client.get(path, headers=who)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert "no-store" in answer.headers["cache-control"]
    modules = segno.make(order["code"], error="m", micro=False).matrix
    picture = Image.open(BytesIO(answer.content)).convert("1")
    drawn = [
        [picture.getpixel((8 * (x + 4) + 4, 8 * (y + 4) + 4)) == 0 for x in range(len(modules))]
        for y in range(len(modules))
    ]
    assert drawn == [[bool(module) for module in row] for row in modules]
    for who, status in ((house.other, 403), (house.rival, 403), ({}, 401)):
        assert house.client.get(path, headers=who).status_code == status
    house.client.delete(f"/api/registrations/{order['id']}/", headers=house.user)
    assert house.client.get(path, headers=house.user).status_code == 404
