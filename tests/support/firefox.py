"""A stock Firefox on a profile of its own, driven through Marionette, which every Firefox has.

Source: Mozilla, Marionette protocol 3: `<length>:[0, id, command, parameters]` is answered by
`<length>:[1, id, error, result]` (firefox-source-docs, read 2026-11).
"""

import json
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.peers.mail import until

START_S = 60
PATIENCE_S = 60
"""A condition is waited for, however busy the machine is."""

QUIET: dict[str, str | int | bool] = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutConfig.showWarning": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "intl.accept_languages": "nl,en",
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
"""A test machine's network has nobody to call."""

_ALERTS = "[...Services.wm.getEnumerator('alert:alert')]"
_TITLE = "one.document.getElementById('alertTitleLabel')?.value"


class Refused(Exception):
    """What Firefox said when it could not do a command."""


class Firefox:
    """One running browser with one window."""

    def __init__(
        self, path: str, profile: Path, preferences: Mapping[str, str | int | bool]
    ) -> None:
        profile.mkdir(parents=True)
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in {**QUIET, **preferences}.items()
        ]
        (profile / "user.js").write_text("".join(lines))
        self._log = (profile.parent / f"{profile.name}.log").open("w")
        self._process = subprocess.Popen(
            [
                path, "--headless", "--marionette", "--remote-allow-system-access",
                "--no-remote", "--profile", str(profile), "about:blank",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._heard = b""
        self._count = 0
        self._socket: socket.socket | None = None
        try:
            self._connect(profile / "MarionetteActivePort")
        except BaseException:
            self.close()
            raise

    def _connect(self, told: Path) -> None:
        until(lambda: told.exists() and told.read_text().strip(), patience_s=START_S)
        self._socket = socket.create_connection(
            ("127.0.0.1", int(told.read_text())), timeout=PATIENCE_S * 2
        )
        self._receive()
        self.command("WebDriver:NewSession", capabilities={})
        self.command(
            "WebDriver:SetTimeouts", implicit=0, pageLoad=START_S * 1000, script=START_S * 1000
        )

    def command(self, name: str, **parameters: Any) -> Any:
        """Carry out one command. Raises Refused."""
        assert self._socket is not None
        self._count += 1
        text = json.dumps([0, self._count, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._receive()
        if error is not None:
            raise Refused(f"{name}: {error['error']}: {error['message']}")
        return result

    def _receive(self) -> Any:
        while b":" not in self._heard:
            self._read()
        length, _, self._heard = self._heard.partition(b":")
        while len(self._heard) < int(length):
            self._read()
        text, self._heard = self._heard[: int(length)], self._heard[int(length) :]
        return json.loads(text)

    def _read(self) -> None:
        assert self._socket is not None
        piece = self._socket.recv(65_536)
        if not piece:
            raise Refused("Firefox hung up")
        self._heard += piece

    def goes_to(self, url: str) -> None:
        """Load an address."""
        self.command("WebDriver:Navigate", url=url)

    def says(self, script: str, *values: Any) -> Any:
        """Run a script in the page; a promise that it returns is awaited."""
        return self._run(script, values)

    def in_browser(self, script: str, *values: Any) -> Any:
        """Run a script with the rights of the browser itself."""
        self.command("Marionette:SetContext", value="chrome")
        try:
            return self._run(script, values)
        finally:
            self.command("Marionette:SetContext", value="content")

    def _run(self, script: str, values: tuple[Any, ...]) -> Any:
        return self.command("WebDriver:ExecuteScript", script=script, args=list(values))["value"]

    def taps(self, selector: str, text: str = "") -> None:
        """Click what a person would see and could click: the first match with this text."""

        def found() -> Any:
            return self.says(
                "return [...document.querySelectorAll(arguments[0])]"
                ".find((one) => one.textContent.includes(arguments[1]) && one.checkVisibility()"
                " && !one.disabled)",
                selector,
                text,
            )

        until(found, patience_s=PATIENCE_S)
        (element,) = found().values()
        self.command("WebDriver:ElementClick", id=element)

    def sees(self, text: str, selector: str = "body") -> bool:
        """Say whether this text stands on the screen."""
        return bool(
            self.says(
                "return document.querySelector(arguments[0])?.innerText.includes(arguments[1])",
                selector,
                text,
            )
        )

    def allows_notifications(self, origin: str) -> None:
        """Answer the browser's question about notifications beforehand, with yes."""
        self.in_browser(
            "Services.perms.addFromPrincipal("
            " Services.scriptSecurityManager.createContentPrincipalFromOrigin(arguments[0]),"
            " 'desktop-notification', Services.perms.ALLOW_ACTION)",
            origin,
        )

    def notifications(self) -> list[str]:
        """Return the titles of the notifications that stand on the screen."""
        titles: list[str] = self.in_browser(f"return {_ALERTS}.map((one) => {_TITLE})")
        return titles

    def taps_notification(self, title: str) -> None:
        """Click a notification as a hand would: its window hears of it."""
        self.in_browser(f"{_ALERTS}.find((one) => {_TITLE} === arguments[0]).onAlertClick()", title)

    def windows(self) -> list[str]:
        """Return the open tabs."""
        handles: list[str] = self.command("WebDriver:GetWindowHandles")
        return handles

    def looks_at(self, window: str) -> None:
        """Look at another tab."""
        self.command("WebDriver:SwitchToWindow", handle=window)

    def close(self) -> None:
        """End the browser."""
        if self._socket is not None:
            self._socket.close()
        self._process.kill()
        self._process.wait(timeout=START_S)
        self._log.close()
