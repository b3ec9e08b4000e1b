"""The feed is in the order of commits: no reader ever misses a change."""

import json
import threading

from sqlmodel import Session, select

from app.db import touch
from app.delivery import service as delivery
from app.inbox.models import Conversation, Message
from app.sync import entities, feed
from app.sync.models import Change
from tests.support.town import HELPMAN, Town, op

WRITERS = 6
WRITES = 25


def test_a_head_comes_after_its_messages(town: Town) -> None:
    lamp = town.resident_writes()
    town.does(town.anna, op("note", lamp, text="Een"), op("note", lamp, text="Twee"))
    seqs = dict(town.sees(town.anna))
    mine = [seq for key, seq in seqs.items() if key.startswith("m:")]
    assert seqs[f"c:{lamp}"] > max(mine)
    assert town.conversation(lamp).last_seq == seqs[f"c:{lamp}"]


def test_an_update_replaces_the_row_and_moves_it_to_the_end(town: Town) -> None:
    lamp = town.resident_writes()
    other = town.resident_writes()
    town.does(town.anna, op("topics", lamp, add=["licht"]))
    keys = [key for key, _ in town.sees(town.anna)]
    assert keys[-1] == f"c:{lamp}"
    assert keys.count(f"c:{lamp}") == 1
    assert f"c:{other}" in keys


def test_nothing_of_another_area_is_in_her_feed(town: Town) -> None:
    town.resident_writes()
    theirs = town.resident_writes("Geheim van Helpman", area=HELPMAN, account="web-zuid")
    rows = town.db.read_now(lambda s: feed.pull(s, town.anna.scopes, 0, 1000))
    assert not any("Geheim" in row.body or theirs in row.key for row in rows)


def test_bodies_are_one_line_without_a_tab(town: Town) -> None:
    town.resident_writes("Regel een\nregel twee\tmet tab \u2028 en meer\r\n")
    rows = town.db.read_now(lambda s: feed.pull(s, town.anna.scopes, 0, 1000))
    assert not any("\n" in row.body or "\t" in row.body or "\r" in row.body for row in rows)


def test_many_writers_and_a_reader_that_misses_nothing(town: Town) -> None:
    """Each writer commits late at random; readers page forward with a cursor all the while."""
    lamps = [town.resident_writes() for _ in range(WRITERS)]
    done = threading.Event()
    failures: list[BaseException] = []

    def write(lamp: str) -> None:
        try:
            for turn in range(WRITES):
                town.does(town.anna, op("note", lamp, text=f"Notitie {turn}"))
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    seen: list[dict[str, int]] = [{} for _ in range(3)]

    def read(into: dict[str, int], limit: int) -> None:
        cursor = 0
        try:
            while True:
                finished = done.is_set()
                rows = town.sees(town.anna, cursor, limit)
                into.update(rows)
                cursor = rows[-1][1] if rows else cursor
                if finished and not rows:
                    return
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    readers = [
        threading.Thread(target=read, args=(into, limit))
        for into, limit in zip(seen, (1, 7, 500), strict=True)
    ]
    writers = [threading.Thread(target=write, args=(lamp,)) for lamp in lamps]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not failures
    truth = dict(town.sees(town.anna))
    assert len([key for key in truth if key.startswith("m:")]) == WRITERS * (WRITES + 1)
    for into in seen:
        assert into == truth


def test_a_transaction_that_commits_late_is_not_skipped(town: Town) -> None:
    """The race by name: writer A holds its number while writer B would commit a higher one."""
    lamp, tree = town.resident_writes(), town.resident_writes()
    cursor = max(seq for _, seq in town.sees(town.anna))
    published, release = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        touch(session, "conversation", lamp)
        feed.publish(session)
        published.set()
        assert release.wait(10)

    late = threading.Thread(target=town.db.write_now, args=(slow,))
    late.start()
    assert published.wait(10)
    fast = threading.Thread(target=town.does, args=(town.anna, op("note", tree, text="Snel")))
    fast.start()
    fast.join(0.3)
    during = town.sees(town.anna, cursor)
    cursor = during[-1][1] if during else cursor
    release.set()
    late.join(10)
    fast.join(10)
    after = town.sees(town.anna, cursor)
    assert f"c:{lamp}" in {key for key, _ in during + after}
    assert f"c:{tree}" in {key for key, _ in during + after}


def test_who_publishes_later_has_read_later(town: Town) -> None:
    """The worker notes a reply as sent while a colleague closes the same conversation."""
    lamp = town.resident_writes()
    (answer,) = town.does(town.anna, op("reply", lamp, based_on=1, text="Wordt gemaakt."))
    began, closed = threading.Event(), threading.Event()

    def note_sent(session: Session) -> None:
        # Kept: a session gives the same object, as it was, to whoever asks again.
        session.info["earlier"] = session.get_one(Conversation, lamp)
        found = delivery.of_message(session, str(answer["op_id"]))
        assert found is not None
        delivery.move(session, found, "sending", now_ms=town.now_ms)
        began.set()
        if not town.db.is_sqlite:  # there the colleague waits until this transaction has ended
            assert closed.wait(10)

    def close() -> None:
        assert began.wait(10)
        town.does(town.bram, op("status", lamp, based_on=2, status="closed"))
        closed.set()

    colleague = threading.Thread(target=close)
    colleague.start()
    town.db.write_now(note_sent)
    colleague.join()
    rows = town.db.read_now(lambda s: feed.pull(s, town.anna.scopes, 0, 1000))
    heads = [json.loads(row.body) for row in rows if row.key == f"c:{lamp}"]
    assert [head["status"] for head in heads] == ["closed"]
    stored = town.db.read_now(lambda s: feed_states(s, lamp))
    assert [row.body for row in rows if row.conversation_id == lamp] == stored


def feed_states(session: Session, conversation_id: str) -> list[str]:
    """Return the feed's bodies as they should be: from the tables, under their numbers."""
    ids = session.exec(select(Message.id).where(Message.conversation_id == conversation_id)).all()
    rows = [
        *entities.messages(session, list(ids)),
        *entities.conversations(session, [conversation_id]),
    ]
    told = {change.key: change.seq for change in session.exec(select(Change))}
    bodies = [(told[row["key"]], row["state"]) for row in rows]
    return [feed.dump({"s": seq} | state) for seq, state in sorted(bodies, key=lambda b: b[0])]
