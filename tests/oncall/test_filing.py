"""A rota of years does not slow down a new phone."""

from app.oncall.filing import KEEP_MS
from tests.oncall.duty import HOUR_MS, Duty


async def test_what_ended_a_month_ago_reaches_no_new_phone(duty: Duty) -> None:
    old = duty.on_call(duty.town.anna, from_ms=-2 * HOUR_MS, to_ms=HOUR_MS)
    new = duty.on_call(duty.town.bram, from_ms=HOUR_MS, to_ms=9 * HOUR_MS)
    duty.away(duty.town.bram, to_ms=HOUR_MS)
    duty.restart()
    duty.clock.forward(ms=HOUR_MS + KEEP_MS)
    await duty.works()
    assert {f"shift:{old}", f"shift:{new}"} <= {key for key, _ in duty.town.sees(duty.town.anna)}
    await duty.works(minutes=61)
    kept = {key for key, _ in duty.town.sees(duty.town.anna)}
    assert f"shift:{old}" not in kept
    assert f"shift:{new}" in kept
    seen = duty.town.sees(duty.town.anna)
    await duty.works(minutes=61)
    assert duty.town.sees(duty.town.anna) == seen, "nothing is filed twice"
