"""Mail servers that go away and come back; servers of its own, so that no other test notices."""

import json
from collections.abc import Iterator

import pytest

from app.channels.contract import Temporary
from app.channels.email import build
from app.clock import SystemClock
from tests.channels.mails import incoming, question, reply_to
from tests.peers.mail import PASSWORD, MailServers, missing
from tests.support.missing import give_up


@pytest.fixture
def shaky() -> Iterator[MailServers]:
    """Postfix and Dovecot that a test may stop."""
    lacking = missing()
    if lacking:
        give_up(lacking)
    servers = MailServers()
    try:
        yield servers.start()
    finally:
        servers.stop()


async def test_a_mailbox_that_is_down_is_told_and_works_again_when_it_is_back(
    shaky: MailServers,
) -> None:
    team = shaky.mailbox()
    fatma = shaky.mailbox()
    secret = json.dumps({"password": PASSWORD})
    channel = build(shaky.account(team), secret, SystemClock().now_ms)
    try:
        cursor = (await channel.fetch(None)).cursor
        shaky.stop_dovecot()
        with pytest.raises(Temporary) as down:
            await channel.fetch(cursor)
        assert down.value.code == "mailbox_unreachable"
        assert down.value.account_wide
        # Postfix keeps what it cannot hand to Dovecot, and tries again.
        shaky.send(question(fatma, team), sender=fatma, to=team)
        shaky.start_dovecot()
        assert len(await incoming(channel)) == 1

        shaky.stop_postfix()
        reply = reply_to(None, channel.new_external_id, fatma)
        with pytest.raises(Temporary) as down:
            await channel.send(reply)
        assert down.value.code == "mail_server_unreachable"
        assert down.value.account_wide
        shaky.start_postfix()
        await channel.send(reply)
        assert [mail["Message-ID"] for mail in shaky.wait_for_mail(fatma)] == [reply.external_id]
    finally:
        await channel.close()
