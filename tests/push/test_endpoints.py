"""Our server posts to these addresses from inside: only push services, whatever a browser says."""

import pytest

from app.config import Settings
from app.errors import BadRequest
from app.push.endpoints import check_keys, origin, path
from tests.peers.push_reading import Browser, pack

SETTING = "push.voorbeeld.nl, eigen.example:8443, localhost:9001, 127.0.0.1:9002, [::1]:9003"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc:APA91-_x", "https://fcm.googleapis.com"),
        ("https://fcm.googleapis.com:443/wp/a", "https://fcm.googleapis.com"),
        (
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA=",
            "https://updates.push.services.mozilla.com",
        ),
        (
            "https://wns2-am3p.notify.windows.com/w/?token=BQYAAAB%2bx",
            "https://wns2-am3p.notify.windows.com",
        ),
        ("https://web.push.apple.com/QGx", "https://web.push.apple.com"),
        ("https://push.voorbeeld.nl/a", "https://push.voorbeeld.nl"),
        ("https://a.push.voorbeeld.nl/a", "https://a.push.voorbeeld.nl"),
        ("https://eigen.example:8443/a", "https://eigen.example:8443"),
        ("http://localhost:9001/wpush/x", "http://localhost:9001"),
        ("http://127.0.0.1:9002/wpush/x", "http://127.0.0.1:9002"),
        ("http://[::1]:9003/wpush/x", "http://[::1]:9003"),
    ],
)
def test_push_services_are_taken(endpoint: str, expected: str) -> None:
    assert origin(endpoint, SETTING) == expected
    assert endpoint.endswith(path(endpoint))


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        # No push service, or one that only looks like it.
        ("https://example.com/x", "unknown_service"),
        ("https://evilfcm.googleapis.com/x", "unknown_service"),
        ("https://evil-push.apple.com.example/x", "unknown_service"),
        ("https://push.apple.com.evil.example/x", "unknown_service"),
        ("https://xpush.apple.com/x", "unknown_service"),
        ("https://apple.com/x", "unknown_service"),
        ("https://googleapis.com/x", "unknown_service"),
        ("https://storage.googleapis.com/x", "unknown_service"),
        ("https://fcm.googleapis.com./x", "unreadable"),
        ("https://.fcm.googleapis.com/x", "unreadable"),
        ("https://a..push.apple.com/x", "unreadable"),
        # Inside.
        ("https://127.0.0.1/x", "unknown_service"),
        ("https://169.254.169.254/latest/meta-data", "unknown_service"),
        ("https://[::1]/x", "unknown_service"),
        ("https://-/x", "unknown_service"),
        ("https://[::ffff:127.0.0.1]/x", "unreadable"),
        ("https://2130706433/x", "unknown_service"),
        ("https://localhost/x", "unknown_service"),
        ("http://localhost:9000/x", "unknown_service"),
        ("http://a.localhost:9001/x", "not_https"),
        ("http://127.0.0.1:9001/x", "unknown_service"),
        ("https://1.127.0.0.1:9002/x", "unknown_service"),
        # Ports.
        ("https://fcm.googleapis.com:22/x", "unknown_service"),
        ("https://fcm.googleapis.com:8443/x", "unknown_service"),
        ("https://eigen.example/x", "unknown_service"),
        ("https://push.voorbeeld.nl:8443/x", "unknown_service"),
        ("https://fcm.googleapis.com:/x", "unreadable"),
        ("https://fcm.googleapis.com:99999999/x", "unreadable"),
        # Schemes.
        ("http://fcm.googleapis.com/x", "unknown_service"),
        ("http://fcm.googleapis.com:443/x", "not_https"),
        ("http://eigen.example:8443/x", "not_https"),
        ("ftp://fcm.googleapis.com/x", "unreadable"),
        ("file:///etc/passwd", "unreadable"),
        ("//fcm.googleapis.com/x", "unreadable"),
        ("", "unreadable"),
        # What parsers disagree about.
        ("https://fcm.googleapis.com@evil.example/x", "unreadable"),
        ("https://user:secret@fcm.googleapis.com/x", "unreadable"),
        ("https://evil.example\\@fcm.googleapis.com/x", "unreadable"),
        ("https://evil.example#@fcm.googleapis.com/x", "unreadable"),
        ("https://evil.example?@fcm.googleapis.com/x", "unreadable"),
        ("https://fcm.googleapis.com", "unreadable"),
        ("https://fcm.googleapis.com/x#part", "unreadable"),
        ("https://fcm.googleapis.com/x y", "unreadable"),
        ("https://fcm.googleapis.com/x\r\nHost: evil.example", "unreadable"),
        ("https://fcm.googleapis.com/x\n", "unreadable"),
        ("https://fcm.googleapis.com/é", "unreadable"),
        ("https://fcm.googleapis。com/x", "unreadable"),
        ("https://FCM.googleapis.com/x", "unreadable"),
        ("https://fcm.googleapis.com/" + "x" * 2048, "unreadable"),
    ],
)
def test_nothing_else_is(endpoint: str, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        origin(endpoint, SETTING)
    assert caught.value.extra["reason"] == reason


@pytest.mark.parametrize("endpoint", ["http://localhost:9001/x", "https://push.voorbeeld.nl/x"])
def test_what_the_setting_does_not_name_is_unknown(endpoint: str) -> None:
    with pytest.raises(BadRequest):
        origin(endpoint, "")


GOOD = Browser().keys


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", GOOD["auth"]),
        (GOOD["p256dh"][:-1], GOOD["auth"]),
        (GOOD["p256dh"] + "A", GOOD["auth"]),
        (GOOD["p256dh"] + "=", GOOD["auth"]),
        (pack(b"\x04" + b"\x01" * 64), GOOD["auth"]),
        (pack(b"\x00" * 65), GOOD["auth"]),
        (pack(b"\x02" + b"\x01" * 64), GOOD["auth"]),
        ("é" * 87, GOOD["auth"]),
        (GOOD["p256dh"], GOOD["auth"][:-2]),
        (GOOD["p256dh"], GOOD["auth"] + "AA"),
        (GOOD["p256dh"], "*" * 22),
    ],
    # The keys are made anew each time, and a test's name must not change with them.
    ids=[
        *("no key", "key cut", "key long", "key padded", "off the curve", "zeros", "compressed"),
        *("no base64", "secret cut", "secret long", "secret no base64"),
    ],
)
def test_keys_that_are_none_are_refused(p256dh: str, auth: str) -> None:
    check_keys(**GOOD)
    with pytest.raises(BadRequest) as caught:
        check_keys(p256dh, auth)
    assert caught.value.extra["reason"] == "keys"


@pytest.mark.parametrize(
    "setting",
    ["https://push.example.nl", "push.example.nl:0", "push.example.nl:99999", "a b", "*.example"],
)
def test_a_setting_that_is_no_list_of_hosts_is_told_at_start(setting: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Settings(push_services=setting)


@pytest.mark.parametrize("contact", ["webteam", "http://stoep.example.nl", "mailto:x"])
def test_a_contact_that_no_push_service_takes_is_told_at_start(contact: str) -> None:
    with pytest.raises(ValueError, match="mailto"):
        Settings(push_contact=contact)
