"""Real mail servers for tests: Postfix takes mail in, Dovecot keeps it and shows it over IMAP.

Both run from a folder of their own on free ports of this machine, with their own configuration,
spool and users, and nothing of the system's mail is touched. Debian packages: postfix,
dovecot-imapd, dovecot-lmtpd. Postfix's master process insists on being root, as it is in CI.

    resident or adapter ──SMTP──▶ Postfix ──LMTP──▶ Dovecot ──IMAP──▶ adapter or resident

Every user of every domain has the password `PASSWORD`. Postfix accepts any recipient, so that a
user who does not exist is bounced later, by a mail of its own, as servers in between do it. Two
recipients are special: `refused@…` is refused at once (550), `later@…` is put off (450).
"""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

from tests.peers.certificates import make_certificate
from tests.peers.tokens import TokenService

PASSWORD = "deur-op-een-kier"
DOMAIN = "stoep.test"
FINAL_DOMAIN = "eindpunt.test"
"""Postfix itself puts this domain's mail in a mailbox, and so can say that it was delivered; only
`fatma` lives there."""
PATIENCE_S = 20.0
NOBODY = 65534
MAILBOXES = 500

T = TypeVar("T")


def missing() -> str | None:
    """Say what keeps the servers from running here, in words; None when nothing does."""
    for program in (POSTFIX_MASTER, "/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp"):
        if not Path(program).exists():
            return "Postfix and Dovecot (Debian: postfix dovecot-imapd dovecot-lmtpd)"
    if os.geteuid() != 0:
        return "root: Postfix's master process does not start without"
    return None


POSTFIX_MASTER = "/usr/lib/postfix/sbin/master"


def until(found: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """Return what `found` returns as soon as that is true; AssertionError after a while."""
    end = time.monotonic() + patience_s
    while True:
        result = found()
        if result:
            return result
        assert time.monotonic() < end, f"still {result!r} after {patience_s} s"
        time.sleep(0.02)


class MailServers:
    """Postfix and Dovecot, started and stopped together or apart."""

    def __init__(self) -> None:
        # The servers' own users must be able to read all this, whatever a command under test made
        # the rule for new files; for the same reason it does not lie in pytest's own folder.
        before = os.umask(0o022)
        try:
            self._prepare()
        finally:
            os.umask(before)

    def _prepare(self) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="mail-"))
        self.dir.chmod(0o755)
        self.smtp_port, self.imap_port, self.imaps_port, *inner = free_ports(6)
        self._outside, self._lmtp, self._auth = inner
        self.ca_file = make_certificate(self.dir)
        self._users = self.dir / "users"
        self._users.write_text("")
        self._users.chmod(0o644)
        names = [f"bus{number:03}@{DOMAIN}" for number in range(MAILBOXES)]
        self._unused = iter(names)
        self._mail = self.dir / "mail"
        self._mail.mkdir()
        os.chown(self._mail, NOBODY, NOBODY)
        self._write_users(names)
        self._postfix: subprocess.Popen[bytes] | None = None
        self._dovecot: subprocess.Popen[bytes] | None = None
        self.tokens = TokenService()
        self._write_dovecot()
        self._write_postfix()

    def start(self) -> MailServers:
        self.start_dovecot()
        self.start_postfix()
        return self

    def stop(self) -> None:
        self.stop_postfix()
        self.stop_dovecot()
        self.tokens.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start_dovecot(self) -> None:
        config = str(self.dir / "dovecot.conf")
        self._dovecot = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", config], start_new_session=True, umask=0o022
        )
        until(lambda: listens(self.imap_port) and listens(self._lmtp) and listens(self._auth))

    def start_postfix(self) -> None:
        config = str(self.dir / "postfix")
        (self.dir / "spool" / "pid" / "master.pid").unlink(missing_ok=True)
        self._postfix = subprocess.Popen(
            [POSTFIX_MASTER, "-c", config, "-d"],
            start_new_session=True,
            umask=0o022,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: listens(self.smtp_port) and listens(self._outside))

    def stop_dovecot(self) -> None:
        _stop(self._dovecot)
        self._dovecot = None

    def stop_postfix(self) -> None:
        _stop(self._postfix)
        self._postfix = None

    def mailbox(self) -> str:
        """Return the address of an empty mailbox that nobody else has been given."""
        return next(self._unused)

    def add_user(self, address: str) -> str:
        """Make a mailbox of this name and return its address."""
        self._write_users([address])
        if self._dovecot is not None:
            # Dovecot looks at its list of users again after a second or so.
            until(lambda: self._lets_in(address))
        return address

    def _write_users(self, addresses: list[str]) -> None:
        with self._users.open("a") as users:
            for one in addresses:
                users.write(f"{one}:{{PLAIN}}{PASSWORD}:{NOBODY}:{NOBODY}::{self._mail}/{one}\n")

    def _lets_in(self, address: str) -> bool:
        try:
            self.imap(address).logout()
        except imaplib.IMAP4.error:
            return False
        return True

    def account(self, address: str, **changes: Any) -> dict[str, Any]:
        """Return the config of an e-mail account on these servers; plain, on loopback."""
        return {
            "address": address,
            "imap_host": "127.0.0.1",
            "imap_port": self.imap_port,
            "imap_tls": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": self.smtp_port,
            "smtp_tls": "none",
            "timeout_s": 5.0,
            **changes,
        }

    def send(self, message: EmailMessage | bytes, *, sender: str, to: str) -> None:
        """Hand in a mail as somebody outside would."""
        raw = message if isinstance(message, bytes) else message.as_bytes(policy=policy.SMTP)
        with smtplib.SMTP("127.0.0.1", self._outside, timeout=PATIENCE_S) as smtp:
            smtp.sendmail(sender, [to], raw)

    def imap(self, address: str) -> imaplib.IMAP4:
        """Return a connection signed in as this user."""
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=PATIENCE_S)
        client.login(address, PASSWORD)
        return client

    def raw_mails(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """Return what lies in a folder, oldest first."""
        with self.imap(address) as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            numbers = client.search(None, "ALL")[1][0].split()
            answers = [client.fetch(number.decode(), "(BODY.PEEK[])")[1] for number in numbers]
        return [answer[0][1] for answer in answers if isinstance(answer[0], tuple)]

    def mails(self, address: str, folder: str = "INBOX") -> list[EmailMessage]:
        """Return what lies in a folder as messages, oldest first."""
        parsed = [
            message_from_bytes(raw, policy=policy.default)
            for raw in self.raw_mails(address, folder)
        ]
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]

    def wait_for_mail(self, address: str, count: int = 1) -> list[EmailMessage]:
        """Return the mails of this user as soon as there are `count`."""
        return until(lambda: found if len(found := self.mails(address)) >= count else [])

    def renumber(self, address: str) -> None:
        """Give the mailbox a new UIDVALIDITY and its mails new UIDs, as a restored server does."""
        home = self._mail / address / "Maildir"
        uid_list = home / "dovecot-uidlist"
        old = next(
            int(word[1:])
            for word in uid_list.read_text().partition("\n")[0].split()
            if word.startswith("V")
        )
        for stale in home.glob("dovecot*"):
            stale.unlink()
        uid_list.write_text(f"3 V{old + 1000} N1 G{os.urandom(16).hex()}\n")
        os.chown(uid_list, NOBODY, NOBODY)

    def quiet(self) -> bool:
        """Say whether Postfix has nothing left to do."""
        spool = self.dir / "spool"
        return not any(
            path.is_file()
            for name in ("incoming", "active", "maildrop", "deferred")
            for path in (spool / name).rglob("*")
        )

    def _write_dovecot(self) -> None:
        (self.dir / "oauth2.conf").write_text(f"""
tokeninfo_url = http://127.0.0.1:{self.tokens.port}/tokeninfo?access_token=
username_attribute = email
""")
        (self.dir / "dovecot.conf").write_text(f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
instance_name = {self.dir.name}
ssl = yes
ssl_cert = <{self.dir}/server.pem
ssl_key = <{self.dir}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
recipient_delimiter = +
first_valid_uid = {NOBODY}
first_valid_gid = {NOBODY}
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = username_format=%u {self._users}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {self.dir}/oauth2.conf
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {self._users}
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = {self.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self._lmtp}
  }}
}}
service auth {{
  inet_listener {{
    port = {self._auth}
  }}
}}
# Every test comes from one address: those with a wrong password would slow down the others.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
""")

    def _write_postfix(self) -> None:
        config = self.dir / "postfix"
        config.mkdir()
        spool, data = self.dir / "spool", self.dir / "data"
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for folder, mode, group in (
            *(("active", 0o700, 0), ("bounce", 0o700, 0), ("corrupt", 0o700, 0)),
            *(("defer", 0o700, 0), ("deferred", 0o700, 0), ("flush", 0o700, 0)),
            *(("hold", 0o700, 0), ("incoming", 0o700, 0), ("private", 0o700, 0)),
            *(("saved", 0o700, 0), ("trace", 0o700, 0)),
            *(("maildrop", 0o730, postdrop), ("public", 0o710, postdrop)),
        ):
            (spool / folder).mkdir(parents=True)
            os.chown(spool / folder, postfix, group)
            (spool / folder).chmod(mode)
        (spool / "pid").mkdir()
        data.mkdir()
        os.chown(data, postfix, 0)
        (config / "access").write_text(
            f"refused@{DOMAIN} 550 5.7.1 not wanted here\nlater@{DOMAIN} 450 4.7.1 not now\n"
        )
        (config / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
maillog_file = {self.dir}/postfix.log
maillog_file_prefixes = {self.dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.{DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
recipient_delimiter = +
virtual_mailbox_domains = {DOMAIN}, {FINAL_DOMAIN}
transport_maps = inline:{{{FINAL_DOMAIN}=virtual:}}
virtual_mailbox_base = {self._mail}
virtual_mailbox_maps = inline:{{fatma@{FINAL_DOMAIN}=final/}}
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
virtual_transport = lmtp:inet:127.0.0.1:{self._lmtp}
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_reject_unlisted_recipient = no
smtpd_reject_unlisted_sender = no
smtpd_recipient_restrictions =
  check_recipient_access texthash:{config}/access, permit_mynetworks, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{self._auth}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.dir}/server.pem
smtpd_tls_key_file = {self.dir}/server.key
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
message_size_limit = 20000000
minimal_backoff_time = 2s
queue_run_delay = 2s
biff = no
in_flow_delay = 0
lmtp_destination_recipient_limit = 1
""")
        (config / "master.cf").write_text(f"""
127.0.0.1:{self.smtp_port} inet n - n - - smtpd
127.0.0.1:{self._outside} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=no
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
""")


def listens(port: int) -> bool:
    """Say whether somebody answers on this port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    """End a server and whatever it started, which shares its process group."""
    if process is None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
