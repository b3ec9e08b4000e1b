"""What the worker sends, and what it makes of every answer of a push service."""

import logging

import pytest

from app.clock import SetClock
from app.push.answers import LONGEST_RETRY_AFTER_MS
from app.push.service import Notice, topic_of
from app.push.worker import FAILURES_TO_PAUSE, LEASE_MS, PAUSE_S
from tests.peers.push_service import RESET, RESET_AFTER, SILENCE, Forced
from tests.push.conftest import Wakeable


def urgent(wakeable: Wakeable, text: str = "Het ruikt naar gas bij Jantje") -> Notice:
    lamp = wakeable.town.resident_writes(text)
    return Notice("urgent", lamp, words={"area": "Paddepoel", "reason": "gaslucht"})


async def test_a_push_reaches_the_phone_it_was_encrypted_for(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    notice = urgent(wakeable)
    (push_id,) = wakeable.wakes(wakeable.town.anna, notice)
    await wakeable.sends()
    (message,) = phone.got()
    assert (message.urgency, message.topic) == ("high", topic_of(notice.conversation_id or ""))
    assert message.ttl_s == 3600
    said = message.json
    assert (said["push"], said["kind"], said["c"]) == (push_id, "urgent", notice.conversation_id)
    assert said["notification"]["title"] == "Spoed in Paddepoel"
    assert said["notification"]["body"] == "Reden: gaslucht"
    assert said["notification"]["navigate"] == f"http://localhost:8000/c/{notice.conversation_id}"
    assert (said["web_push"], said["mutable"]) == (8030, True)
    assert wakeable.states() == [("sent", None)]
    assert wakeable.vendor.refused == []


async def test_one_signature_serves_a_push_service_for_hours_and_not_longer(
    wakeable: Wakeable, clock: SetClock
) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    for hours in (0, 5, 2):
        clock.forward(s=hours * 3600)
        wakeable.wakes(wakeable.town.anna, urgent(wakeable))
        await wakeable.sends()
    first, second, third = (
        message.claims["exp"] for message in wakeable.vendor.taken if message.json["c"]
    )
    assert first == second < third
    assert wakeable.vendor.refused == []


async def test_what_is_left_of_its_time_goes_along(wakeable: Wakeable, clock: SetClock) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, 503)
    notice = urgent(wakeable)
    wakeable.wakes(wakeable.town.anna, Notice("urgent", notice.conversation_id, ttl_s=60))
    await wakeable.sends()
    clock.forward(s=20)
    await wakeable.sends()
    assert phone.got()[0].ttl_s == 40


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_an_answer_that_says_taken_is_the_end_of_it(wakeable: Wakeable, status: int) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, status)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.states() == [("sent", None)]
    assert wakeable.pushes()[0].payload == {}, "what was said is not kept"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "refused"),
        (401, "server_key"),
        (403, "server_key"),
        (405, "refused"),
        (413, "too_large"),
        (301, "redirected"),
        (307, "redirected"),
    ],
)
async def test_an_answer_that_says_no_is_told_and_not_repeated(
    wakeable: Wakeable, clock: SetClock, status: int, code: str
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    elsewhere = {"Location": f"{wakeable.vendor.url}/wpush/{phone.name}"}
    wakeable.vendor.force(phone.name, Forced(status, elsewhere))
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    clock.forward(s=30)
    await wakeable.sends()
    assert (wakeable.states(), wakeable.vendor.posts) == ([("failed", code)], 1)
    assert (await phone.mine())["error"] == code


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_used_no_more_until_the_phone_makes_another(
    wakeable: Wakeable, status: int
) -> None:
    anna = wakeable.town.anna
    phone = await wakeable.subscribed(anna)
    wakeable.vendor.force(phone.name, status)
    wakeable.wakes(anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.states() == [("gone", "gone")]
    assert ((await phone.mine())["state"], wakeable.reach(anna)) == ("gone", "none")
    assert wakeable.wakes(anna, urgent(wakeable)) == []
    assert (await phone.subscribes()).json()["state"] == "gone", "the same address mends nothing"
    phone.name = "anna-anew"
    assert (await phone.subscribes()).json()["state"] == "new"
    assert wakeable.wakes(anna, urgent(wakeable))
    await wakeable.sends()
    assert len(phone.got()) == 1


@pytest.mark.parametrize(
    "forced", [429, 500, 502, 503, SILENCE, RESET, RESET_AFTER], ids=lambda forced: str(forced)
)
async def test_what_may_pass_is_tried_again(
    wakeable: Wakeable, clock: SetClock, forced: int | str
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, forced)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    ((state, error),) = wakeable.states()
    assert state == "queued"
    assert error in {"limited", "service_error", "timeout", "reset"}
    clock.forward(s=30)
    await wakeable.sends()
    assert wakeable.states() == [("sent", None)]
    # The answer that was lost: it came twice, and the second replaced the first.
    assert len(phone.got()) == (2 if forced == RESET_AFTER else 1)
    assert len(wakeable.vendor.waiting(phone.name)) == 1


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [
        ("90", 90),
        ("Mon, 02 Nov 2026 09:02:00 GMT", 120),
        ("Mon, 02 Nov 2026 07:00:00 GMT", 0),
        ("99999999", LONGEST_RETRY_AFTER_MS // 1000),
        ("soon", 2),
        ("-5", 2),
    ],
)
async def test_retry_after_is_heeded_in_both_its_forms_and_capped(
    wakeable: Wakeable, clock: SetClock, said: str, waits_s: int
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, Forced(429, {"Retry-After": said}))
    lamp = urgent(wakeable).conversation_id
    wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, ttl_s=86_400))
    now_ms = clock.now_ms()
    await wakeable.worker.once()
    (push,) = wakeable.pushes()
    assert waits_s * 1000 <= push.due_at_ms - now_ms <= max(waits_s, 2) * 2500


async def test_it_is_not_tried_again_after_its_time(wakeable: Wakeable, clock: SetClock) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, Forced(503, {"Retry-After": "120"}))
    lamp = urgent(wakeable).conversation_id
    wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, ttl_s=60))
    await wakeable.sends()
    assert wakeable.states() == [("expired", "service_error")]
    clock.forward(s=300)
    await wakeable.sends()
    assert phone.alerts() == []


async def test_what_waited_too_long_for_a_worker_is_not_sent(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    lamp = urgent(wakeable).conversation_id
    wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, ttl_s=60))
    clock.forward(s=60)
    await wakeable.worker.once()
    assert wakeable.pushes()[0].state == "expired"
    assert phone.alerts() == []


async def test_nothing_goes_to_a_phone_that_was_taken_away_meanwhile(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    gone = await phone.http.delete(f"/api/v1/devices/{phone.device_id}")
    assert gone.status_code == 204
    await wakeable.sends()
    assert wakeable.states() == [("gone", "gone")]
    assert phone.alerts() == []


async def test_a_worker_that_dies_is_followed_by_one_that_sends_again(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    dying = wakeable.new_worker()
    assert len(await dying._take(10)) == 1
    heir = wakeable.new_worker()
    await wakeable.sends(heir)
    assert wakeable.states() == [("sending", None)], "the lease still holds"
    clock.forward(ms=LEASE_MS + 1)
    await wakeable.sends(heir)
    assert wakeable.pushes()[0].state == "sent"
    assert len(phone.alerts()) == 1


async def test_a_worker_whose_lease_lapsed_no_longer_decides(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    slow = wakeable.new_worker()
    jobs = await slow._take(10)
    clock.forward(ms=LEASE_MS + 1)
    await wakeable.sends(wakeable.new_worker())
    wakeable.vendor.force(phone.name, 400)
    await slow._carry(jobs)
    assert wakeable.pushes()[0].state == "sent"


async def test_two_workers_never_take_the_same_push(wakeable: Wakeable) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    for _ in range(8):
        wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    one, two = wakeable.new_worker(), wakeable.new_worker()
    taken = [*await one._take(5), *await two._take(5)]
    assert len({job.push_id for job in taken}) == len(taken) == 8


async def test_what_is_urgent_goes_before_what_is_not(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    for urgency in ("low", "normal", "high"):
        lamp = urgent(wakeable).conversation_id
        wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, urgency=urgency))
    for _ in range(3):
        await wakeable.worker._carry(await wakeable.worker._take(1))
    assert [message.urgency for message in phone.got()] == ["high", "normal", "low"]


async def test_a_push_service_that_hangs_holds_up_no_other_and_is_left_alone_for_a_moment(
    wakeable: Wakeable, clock: SetClock
) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.always = RESET
    for _ in range(FAILURES_TO_PAUSE + 4):
        wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    for _ in range(FAILURES_TO_PAUSE + 4):
        await wakeable.worker._carry(await wakeable.worker._take(1))
    assert wakeable.vendor.posts == FAILURES_TO_PAUSE
    waiting = wakeable.pushes()
    put_off = [push for push in waiting if push.error == "service_down"]
    assert (len(put_off), len(waiting)) == (4, FAILURES_TO_PAUSE + 4)
    assert {push.due_at_ms for push in put_off} == {clock.now_ms() + int(PAUSE_S * 1000)}
    wakeable.vendor.always = None
    clock.forward(s=60)
    await wakeable.sends(wakeable.new_worker())
    assert {state for state, _ in wakeable.states()} == {"sent"}
    assert len(phone.got()) >= FAILURES_TO_PAUSE + 4


async def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_no_fault(
    wakeable: Wakeable,
) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    for _ in range(3):
        wakeable.wakes(wakeable.town.anna, urgent(wakeable))
        await wakeable.sends()
    assert wakeable.vendor.connections == 1
    wakeable.vendor.hang_up()
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.states() == [("sent", None)] * 4
    assert wakeable.vendor.connections == 2


async def test_a_longwinded_answer_is_not_read_to_its_end(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    wakeable.vendor.force(phone.name, Forced(201, {}, b"x" * 1_000_000))
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.states() == [("sent", None)]
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends()
    assert wakeable.vendor.connections == 2, "that connection is not used again"


async def test_a_host_that_the_setting_no_longer_names_gets_nothing(wakeable: Wakeable) -> None:
    await wakeable.subscribed(wakeable.town.anna)
    wakeable.wakes(wakeable.town.anna, urgent(wakeable))
    await wakeable.sends(wakeable.new_worker(push_services=""))
    assert (wakeable.states(), wakeable.vendor.posts) == ([("failed", "not_allowed")], 0)


async def test_a_newer_push_replaces_one_that_still_waits(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    notice = urgent(wakeable)
    wakeable.wakes(wakeable.town.anna, notice)
    wakeable.wakes(wakeable.town.anna, notice)
    await wakeable.sends()
    assert sorted(wakeable.states()) == [("cancelled", "replaced"), ("sent", None)]
    assert len(phone.got()) == 1


async def test_nothing_personal_is_in_a_push_or_in_the_log(
    wakeable: Wakeable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    phone = await wakeable.subscribed(wakeable.town.anna)
    lamp = wakeable.town.resident_writes("Mijn buurvrouw is gevallen")
    words = {"area": "Paddepoel", "name": "Jantje", "text": "Mijn buurvrouw is gevallen"}
    wakeable.vendor.force(phone.name, 500, 401)
    for _ in range(3):
        wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, words=words))
        await wakeable.sends()
        wakeable.clock.forward(s=30)
    await wakeable.sends()
    said = phone.got()[-1].plaintext.decode()
    for word in ("Jantje", "buurvrouw", "gevallen", "Anna"):
        assert word not in said
        assert word not in caplog.text
    assert phone.name not in caplog.text, "an endpoint is a secret"


async def test_a_municipality_can_choose_to_show_name_and_words(wakeable: Wakeable) -> None:
    phone = await wakeable.subscribed(wakeable.town.anna)
    lamp = wakeable.town.resident_writes("Mijn buurvrouw is gevallen")
    words = {"area": "Paddepoel", "name": "Jantje", "text": "Mijn  buurvrouw\nis gevallen"}
    wakeable.wakes(wakeable.town.anna, Notice("urgent", lamp, words=words))
    await wakeable.sends(wakeable.new_worker(push_words=True))
    assert phone.got()[0].json["notification"]["body"] == "Jantje: Mijn buurvrouw is gevallen"
