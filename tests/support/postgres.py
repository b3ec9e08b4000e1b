"""A PostgreSQL cluster of our own in a temporary folder, so that no test touches another's data."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from psycopg import sql

from tests.support import memory


def programs() -> Path | None:
    """Return the folder with initdb and pg_ctl, the newest when there are several."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4])
    )
    found = shutil.which("initdb")
    return debian[-1].parent if debian else Path(found).parent if found else None


class Cluster:
    """A running cluster; databases are made from templates in tens of milliseconds."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(mkdtemp(prefix="stoep-pg-"))
        self._password = secrets.token_hex(16)
        self._port = _free_port()
        self._count = 0
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (self._folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._data = self._folder / "data"
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", "stoep", "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 "
            f"-c unix_socket_directories={self._folder} "
            # A test kills our program, never the machine; what PostgreSQL took survives that.
            "-c fsync=off -c max_connections=200"
        )
        log = self._folder / "log"
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-o", options, "-l", str(log))
        self._admin = psycopg.connect(self._dsn("postgres"), autocommit=True)
        # In memory files are copied sooner than they are written to the log, page by page; before
        # version 15 there was no other way.
        copies = memory.MEMORY in self._folder.parents and self._admin.info.server_version >= 150000
        self._how = " STRATEGY FILE_COPY" if copies else ""

    def create(self, template: str = "template0") -> str:
        """Make a database like `template`, where nobody may be connected; return its name."""
        self._count += 1
        name = f"test_{self._count}"
        self._admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}" + self._how).format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """Return the address of a database as Stoep's settings want it."""
        return f"postgresql+psycopg://stoep:{self._password}@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        """End the cluster and remove its files."""
        self._admin.close()
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))
        shutil.rmtree(self._folder)

    def _dsn(self, name: str) -> str:
        return self.url(name).replace("postgresql+psycopg", "postgresql")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            # pg_ctl's server would inherit a pipe and keep it open for ever.
            stdout=subprocess.DEVNULL,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
