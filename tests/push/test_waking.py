"""Whether a person can be woken, what her phones tell us, and who may know."""

import pytest
from sqlmodel import Session, select, update

from app.accounts.models import Device, Person, UserSession
from app.clock import SetClock
from app.push import schedule
from app.push.models import PushSubscription
from app.push.service import Notice
from app.push.vapid import server_key
from tests.push.conftest import KNOWN_ENDPOINT, Phone, Wakeable

DAY_S = 86_400


def urgent(wakeable: Wakeable, **words: object) -> Notice:
    return Notice("urgent", wakeable.town.resident_writes(), words={"area": "Paddepoel", **words})


async def test_a_phone_that_showed_something_is_proven_for_26_hours(
    wakeable: Wakeable, clock: SetClock
) -> None:
    anna = wakeable.town.anna
    assert wakeable.reach(anna) == "none"
    phone = await wakeable.subscribed(anna)
    assert wakeable.reach(anna) == "unproven"
    await phone.asks_for_a_test()
    await wakeable.sends()
    (test,) = phone.got()
    assert (test.json["kind"], test.json["notification"]["silent"]) == ("test", True)
    assert wakeable.reach(anna) == "unproven", "sent is not shown"
    await phone.shows(test)
    assert wakeable.reach(anna) == "proven"
    known = await phone.mine()
    assert (known["state"], known["proven_ms"]) == ("proven", clock.now_ms())
    clock.forward(ms=schedule.PROOF_MS + 1)
    assert wakeable.reach(anna) == "unproven"


async def test_two_taps_on_test_are_one_test(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    assert await phone.asks_for_a_test() == await phone.asks_for_a_test()
    await wakeable.sends()
    assert len(phone.got()) == 1


async def test_a_new_phone_is_tested_by_itself_and_then_every_day(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    for day in range(1, 4):
        if day == 1:
            clock.forward(ms=schedule.FIRST_TEST_MS)
        await wakeable.sends()
        assert len(phone.got()) == day
        await phone.shows(phone.got()[-1])
        (subscription,) = wakeable.subscriptions()
        wait_ms = subscription.next_test_at_ms - clock.now_ms()
        assert 0 < wait_ms <= 24 * schedule.HOUR_MS
        assert not schedule.is_night(subscription.next_test_at_ms)
        clock.forward(ms=wait_ms)
        assert wakeable.reach(wakeable.town.anna) == "proven", "no gap between proofs"


async def test_silence_is_noticed_after_ten_minutes_and_mended_by_a_word(
    wakeable: Wakeable, clock: SetClock
) -> None:
    anna = wakeable.town.anna
    phone = await wakeable.proven(anna)
    clock.forward(s=60)
    await phone.asks_for_a_test()
    await wakeable.sends()
    clock.forward(ms=schedule.ANSWER_MS - 30_000)
    await wakeable.sends()
    assert wakeable.reach(anna) == "proven"
    clock.forward(s=60)
    await wakeable.sends()
    assert (wakeable.reach(anna), (await phone.mine())["state"]) == ("none", "silent")
    assert wakeable.wakes(anna, urgent(wakeable)), "tried all the same"
    await wakeable.sends()
    clock.forward(s=60)
    await phone.shows(phone.alerts()[-1])
    assert wakeable.reach(anna) == "proven"


async def test_an_urgent_push_that_nobody_saw_is_silence_too(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.proven(wakeable.town.anna)
    clock.forward(s=60)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    clock.forward(ms=schedule.ANSWER_MS)
    await wakeable.sends()
    assert (await phone.mine())["state"] == "silent"


async def test_a_push_service_that_is_down_makes_no_phone_silent(
    wakeable: Wakeable, clock: SetClock
) -> None:
    await wakeable.proven(wakeable.town.anna)
    wakeable.vendor.always = "reset"
    clock.forward(s=60)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    clock.forward(ms=schedule.ANSWER_MS * 2)
    await wakeable.sends()
    assert wakeable.reach(wakeable.town.anna) == "proven"


async def test_a_silent_phone_is_asked_every_hour_and_in_the_end_every_day(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    for _ in range(5 * 24):
        clock.forward(s=3600)
        await wakeable.sends()
    assert 3 * 12 < len(phone.got()) < 3 * 18, "hourly by day, for three days"
    assert len(wakeable.vendor.waiting(phone.name)) == 1


async def test_nobody_is_tested_at_night_but_who_is_on_call(
    wakeable: Wakeable, clock: SetClock
) -> None:
    town = wakeable.town
    anna, bram = await wakeable.subscribed(town.anna), await wakeable.subscribed(town.bram)
    clock.forward(s=13 * 3600)  # 23:00
    worker = wakeable.new_worker(on_call=lambda _s, person, _ms: person == town.bram.person_id)
    await wakeable.sends(worker)
    assert (len(anna.got()), len(bram.got())) == (0, 1)
    due = {one.person_id: one.next_test_at_ms for one in wakeable.subscriptions()}
    wait_ms = due[town.anna.person_id] - clock.now_ms()
    assert 8 * schedule.HOUR_MS <= wait_ms <= 10 * schedule.HOUR_MS


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_the_next_test_leaves_no_gap_and_wakes_nobody(hour: int, name: str) -> None:
    now_ms = 1_793_574_000_000 + hour * schedule.HOUR_MS
    at_ms = schedule.next_test_ms(name, now_ms)
    assert not schedule.is_night(at_ms)
    assert 12 * schedule.HOUR_MS < at_ms - now_ms <= 24 * schedule.HOUR_MS


async def test_a_key_that_changed_is_noticed(wakeable: Wakeable) -> None:
    anna = wakeable.town.anna
    phone = await wakeable.proven(anna)
    changed = update(PushSubscription).values(server_key="0123456789abcdef")
    wakeable.town.db.write_now(lambda session: session.exec(changed))
    known = await phone.mine()
    assert (known["state"], known["error"]) == ("gone", "key_changed")
    await wakeable.sends(wakeable.new_worker())
    assert (wakeable.reach(anna), wakeable.wakes(anna, urgent(wakeable))) == ("none", [])
    assert (await phone.subscribes()).json()["state"] == "new"


async def test_a_subscription_made_with_another_key_is_refused(wakeable: Wakeable) -> None:
    phone = await wakeable.signs_in(wakeable.town.anna)
    answer = await phone.subscribes(fingerprint="0123456789abcdef")
    assert (answer.status_code, answer.json()["reason"]) == (409, "key_changed")
    key = (await phone.http.get("/api/v1/push/key")).json()
    assert key["fingerprint"] == server_key(wakeable.settings).fingerprint
    assert (await phone.subscribes(fingerprint=key["fingerprint"])).status_code == 200


async def test_the_push_service_accepts_the_key_that_phones_get(wakeable: Wakeable) -> None:
    phone = await wakeable.signs_in(wakeable.town.anna)
    phone.browser.server_key = (await phone.http.get("/api/v1/push/key")).json()["key"]
    await phone.subscribes()
    await phone.asks_for_a_test()
    await wakeable.sends()
    assert (len(phone.got()), wakeable.vendor.refused) == (1, [])


async def test_the_same_subscription_again_changes_nothing(wakeable: Wakeable) -> None:
    phone = await wakeable.proven(wakeable.town.anna)
    before = wakeable.subscriptions()[0].id
    answer = (await phone.subscribes()).json()
    assert answer == {"id": before, "state": "proven"}


async def test_a_browser_that_changed_hands_wakes_only_who_is_there_now(
    wakeable: Wakeable,
) -> None:
    town = wakeable.town
    annas, brams = await wakeable.subscribed(town.anna), await wakeable.signs_in(town.bram)
    await brams.subscribes(endpoint=f"{wakeable.vendor.url}/wpush/{annas.name}")
    assert wakeable.wakes(town.anna, urgent(wakeable)) == []
    assert len(wakeable.wakes(town.bram, urgent(wakeable))) == 1


@pytest.mark.parametrize("how", ["signs out", "device revoked", "left", "session expired"])
async def test_who_is_not_signed_in_is_not_woken(
    wakeable: Wakeable, clock: SetClock, how: str
) -> None:
    anna = wakeable.town.anna
    phone = await wakeable.proven(anna)
    if how == "signs out":
        assert (await phone.http.delete("/api/v1/session")).status_code == 204
    else:
        statement = {
            "device revoked": update(Device).values(revoked_at_ms=clock.now_ms()),
            "left": update(Person).values(active=False),
            "session expired": update(UserSession).values(expires_at_ms=clock.now_ms()),
        }[how]
        wakeable.town.db.write_now(lambda session: session.exec(statement))
    assert (wakeable.reach(anna), wakeable.wakes(anna, urgent(wakeable))) == ("none", [])
    clock.forward(s=2 * DAY_S)
    await wakeable.sends()
    assert len(phone.got()) == 1, "nor tested"


async def test_nobody_is_woken_on_the_phone_that_did_it(wakeable: Wakeable) -> None:
    anna = wakeable.town.anna
    acting, other = await wakeable.subscribed(anna), await wakeable.subscribed(anna)
    assert len(wakeable.wakes(anna, urgent(wakeable), skip_device=acting.device_id)) == 1
    await wakeable.sends()
    assert (len(acting.alerts()), len(other.alerts())) == (0, 1)


# -- reports --


async def test_a_report_needs_no_session_but_the_token_from_the_push(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    first, second = (
        await phone.asks_for_a_test(),
        wakeable.wakes(wakeable.town.anna, urgent(wakeable))[0],
    )
    await wakeable.sends()
    said = {message.json["push"]: message.json["report"] for message in phone.got()}
    phone.http.cookies.clear()
    other = first[:-1] + ("1" if first.endswith("0") else "0")
    for push, token in ((first, said[second]), (first, "x"), (other, said[first])):
        answer = await phone.http.post("/api/v1/push/reports", json={"push": push, "report": token})
        assert (answer.status_code, push) == (404, push)
    assert {state for state, _ in wakeable.states()} == {"sent"}
    for message in phone.got() * 2:
        assert (await phone.shows(message)).status_code == 204
    assert {state for state, _ in wakeable.states()} == {"shown"}


async def test_a_report_can_be_faster_than_the_push_services_answer(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, "reset after")
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.states() == [("queued", "reset")]
    await phone.shows(phone.got()[0])
    clock.forward(s=30)
    await wakeable.sends()
    assert (wakeable.states(), len(phone.got())) == ([("shown", None)], 1)


async def test_a_report_about_a_push_that_is_no_longer_kept_is_no_error(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    clock.forward(s=40 * DAY_S)
    await wakeable.sends()
    assert wakeable.states() == []
    assert (await phone.shows(phone.got()[0])).status_code == 204


# -- closing --


async def test_what_was_answered_disappears_from_the_other_phones_once(wakeable: Wakeable) -> None:
    town = wakeable.town
    shown, unsent = await wakeable.proven(town.anna), await wakeable.proven(town.bram)
    notice = urgent(wakeable)
    lamp = notice.conversation_id or ""
    wakeable.wakes(town.anna, notice)
    await wakeable.sends()
    await shown.shows(shown.alerts()[0])
    wakeable.wakes(town.bram, notice)
    wakeable.closes(lamp)
    wakeable.closes(lamp)
    await wakeable.sends()
    assert [message.json["kind"] for message in shown.alerts()] == ["urgent", "closed"]
    assert {message.topic for message in shown.alerts()} == {shown.alerts()[0].topic}
    assert unsent.alerts() == [], "taken back before it left"
    assert ("cancelled", "closed") in wakeable.states()


async def test_a_push_that_is_being_retried_stops_when_its_question_is_closed(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    notice = urgent(wakeable)
    wakeable.vendor.force(phone.name, 503)
    wakeable.wakes(wakeable.town.anna, notice)
    await wakeable.sends()
    wakeable.closes(notice.conversation_id or "")
    clock.forward(s=30)
    await wakeable.sends()
    assert [message.json["kind"] for message in phone.alerts()] == ["closed"]


async def test_closing_what_woke_nobody_tells_nobody(wakeable: Wakeable) -> None:
    phone = await wakeable.proven(wakeable.town.anna)
    wakeable.closes(wakeable.town.resident_writes())
    await wakeable.sends()
    assert phone.alerts() == []


# -- rights --


async def test_health_is_of_ones_own_devices(wakeable: Wakeable) -> None:
    town = wakeable.town
    anna, bram = await wakeable.proven(town.anna), await wakeable.subscribed(town.bram)
    seen = await bram.health()
    assert [one["device_id"] for one in seen["devices"]] == [bram.device_id]
    assert seen["team"] == []
    assert anna.device_id != bram.device_id


async def role(wakeable: Wakeable, phone: Phone, name: str) -> list[tuple[object, object]]:
    """Give whoever holds this phone another role; return the colleagues she is shown."""
    device = (await phone.mine())["device_id"]

    def change(session: Session) -> None:
        person = session.exec(
            select(Person).join(Device).where(Device.id == device, Device.person_id == Person.id)
        ).one()
        person.role = name

    wakeable.town.db.write_now(change)
    return [(one["name"], one["reach"]) for one in (await phone.health())["team"]]


async def test_colleagues_are_shown_to_who_looks_after_them_and_to_nobody_else(
    wakeable: Wakeable,
) -> None:
    town = wakeable.town
    phone = await wakeable.proven(town.anna)
    await wakeable.subscribed(town.chaima)
    for nobody in ("coordinator", "webcare", "coach", "archivist"):
        assert await role(wakeable, phone, nobody) == []
    assert await role(wakeable, phone, "manager") == [("Anna", "proven"), ("Bram", "none")]
    everybody = [("Anna", "proven"), ("Bram", "none"), ("Chaima", "unproven")]
    assert await role(wakeable, phone, "admin") == everybody


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/key"),
        ("GET", "/health"),
        ("PUT", "/subscription"),
        ("DELETE", "/subscription"),
        ("POST", "/tests"),
    ],
)
async def test_without_a_session_there_is_nothing(
    wakeable: Wakeable, method: str, path: str
) -> None:
    phone = await wakeable.signs_in(wakeable.town.anna)
    phone.http.cookies.clear()
    body = {"endpoint": KNOWN_ENDPOINT, "keys": phone.browser.keys}
    answer = await phone.http.request(method, f"/api/v1/push{path}", json=body)
    assert answer.status_code == 401


async def test_a_device_without_a_subscription_cannot_be_tested(wakeable: Wakeable) -> None:
    phone = await wakeable.signs_in(wakeable.town.anna)
    answer = await phone.http.post("/api/v1/push/tests")
    assert (answer.status_code, answer.json()["reason"]) == (409, "not_subscribed")


async def test_unsubscribing_is_of_ones_own_device_and_may_be_repeated(
    wakeable: Wakeable,
) -> None:
    town = wakeable.town
    anna, _bram = await wakeable.subscribed(town.anna), await wakeable.subscribed(town.bram)
    for _ in range(2):
        assert (await anna.http.delete("/api/v1/push/subscription")).status_code == 204
    assert [one.person_id for one in wakeable.subscriptions()] == [town.bram.person_id]
    assert (await anna.mine())["state"] == "none"


async def test_an_endpoint_of_no_push_service_is_a_clear_problem(wakeable: Wakeable) -> None:
    phone = await wakeable.signs_in(wakeable.town.anna)
    answer = await phone.subscribes("https://169.254.169.254/latest")
    assert (answer.status_code, answer.json()["reason"]) == (400, "unknown_service")
    assert "169.254" not in answer.text
    assert wakeable.subscriptions() == []
