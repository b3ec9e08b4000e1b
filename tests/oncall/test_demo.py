"""The demonstration shows a rota, and an urgent question that waits for somebody."""

from pathlib import Path

import pytest
from sqlmodel import select

from app import demo
from app.clock import SystemClock
from app.config import Settings
from app.main import open_database
from app.oncall import queries, roster
from app.oncall.models import Alert
from tests.oncall.test_policy import at


def test_somebody_was_woken_and_somebody_else_is_next(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=sqlite_url, demo=True)
    db = open_database(settings)
    demo.load(db, settings)
    assert "Sign in" in capsys.readouterr().out
    alerts = db.read_now(lambda session: session.exec(select(Alert)).all())
    assert alerts, "nothing urgent is open"
    for alert in alerts:
        assert (alert.state, alert.step, alert.next_kind) == ("open", 1, "lead")
    now_ms = SystemClock().now_ms()
    on_call = db.read_now(lambda session: roster.on_call_now(session, now_ms))
    assert len(on_call) == 1
    led = db.read_now(lambda session: queries.teams_led_by(session, alerts[0].next_person_id or ""))
    assert led == ["noord"]
    db.close()


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2026-11-23T08:59", "2026-11-16T09:00"),  # a Monday, before the change of the week
        ("2026-11-23T09:00", "2026-11-23T09:00"),
        ("2026-11-29T23:59", "2026-11-23T09:00"),
        ("2026-03-29T12:00", "2026-03-23T09:00"),  # summer time began that night
    ],
)
def test_a_week_begins_on_monday_at_nine(now: str, begins: str) -> None:
    assert demo._monday(at(now), 0) == at(begins)
