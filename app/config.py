"""Configuration from the environment: `STOEP_…`, read once at start.

Each field's description is the README's table; a test holds the two against each other.
"""

import json
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import ConfigError


class Settings(BaseSettings):
    """All settings, with units in their names."""

    model_config = SettingsConfigDict(env_prefix="STOEP_", extra="ignore")

    data_dir: Path = Field(
        Path("data"), description="Folder for the SQLite database and the key that seals secrets"
    )
    database_url: str = Field(
        "", description="SQLAlchemy address of the database; empty is `stoep.db` in the data folder"
    )
    host: str = Field("127.0.0.1", description="Address to listen on; only this machine by default")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on")
    base_url: str = Field(
        "", description="Public address, as in `https://stoep.example.nl`; empty is host and port"
    )
    municipality: str = Field("Voorbeeldstad", min_length=1, description="Name shown on the pages")
    language: Literal["nl", "en"] = Field("nl", description="Language when a browser asks for none")
    demo: bool = Field(
        False, description="Demonstration: sign in by a tap, accepted from loopback only"
    )
    window_days: int = Field(
        90, ge=1, le=3650, description="Closed conversations stay on the phone this many days"
    )
    undo_s: int = Field(
        8, ge=0, le=120, description="Seconds in which a reply to a public channel can be undone"
    )
    session_days: int = Field(30, ge=1, le=365, description="Days until a person signs in again")
    invitation_hours: int = Field(72, ge=1, le=720, description="Hours an invitation can be used")
    max_photo_bytes: int = Field(
        10_000_000, ge=10_000, le=50_000_000, description="Largest photo or file that is taken"
    )
    worker: bool = Field(
        True, description="Fetch and deliver inside the web process; off when `stoep worker` runs"
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses of reverse proxies whose forwarded headers count, comma-separated",
    )
    push_contact: str = Field(
        "",
        description="Where push services reach us, `mailto:…` or `https://…`; empty is the address",
    )
    push_services: str = Field(
        "",
        description="More hosts that pushes may go to, comma-separated, as `host` or `host:port`",
    )
    push_words: bool = Field(
        False, description="Show the resident's name and words in a notification; off by default"
    )
    private_hosts: str = Field(
        "",
        description="Servers of channels on this machine that may do without https, as"
        " `localhost:8008`, comma-separated",
    )
    sms_url: str = Field(
        "", description="Gateway that escalations by text message are posted to; empty is none"
    )
    sms_token: str = Field(
        "", repr=False, description="Secret of the gateway, sent as `Authorization: Bearer …`"
    )
    sms_body: str = Field(
        '{"to": "{to}", "text": "{text}", "reference": "{id}"}',
        description="What the gateway is posted: JSON in which {to}, {text} and {id} are filled in",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged; never a resident's words"
    )

    @field_validator("database_url")
    @classmethod
    def _database_known(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        # Only the psycopg 3 driver is installed; SQLAlchemy's plain name means psycopg2.
        return value.replace("postgresql://", "postgresql+psycopg://", 1)

    @field_validator("base_url")
    @classmethod
    def _base_is_origin(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be like https://stoep.example.nl")
        if parts.path.strip("/") or parts.query:
            raise ValueError("must be an address without a path")
        return value.rstrip("/")

    @field_validator("push_contact")
    @classmethod
    def _contact_is_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"mailto:[^@\s]+@[^@\s]+|https://[^\s/]+(/\S*)?", value):
            raise ValueError("must be like mailto:webteam@example.nl or https://stoep.example.nl")
        return value

    @field_validator("push_services", "private_hosts")
    @classmethod
    def _services_are_hosts(cls, value: str) -> str:
        for one in filter(None, (part.strip().lower() for part in value.split(","))):
            host = re.fullmatch(r"([a-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?", one)
            if host is None or not 0 < int(host[2] or 443) < 65536:
                raise ValueError("must be like push.example.nl, or host:port, comma-separated")
        return value.lower()

    @field_validator("sms_url")
    @classmethod
    def _gateway_is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        at_home = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if value and not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and at_home))
        ):
            raise ValueError("must be like https://sms.example.nl/messages")
        if parts.username or parts.password:
            raise ValueError("must hold no password: that is STOEP_SMS_TOKEN")
        return value

    @field_validator("sms_token")
    @classmethod
    def _token_fits_a_header(cls, value: str) -> str:
        if not (value.isascii() and value.isprintable()):
            raise ValueError("must be plain text")
        return value

    @field_validator("sms_body")
    @classmethod
    def _body_is_template(cls, value: str) -> str:
        try:
            object_ = json.loads(value)
        except ValueError:
            raise ValueError("must be JSON") from None
        if not isinstance(object_, dict) or "{to}" not in value or "{text}" not in value:
            raise ValueError("must be a JSON object with {to} and {text} in it")
        return value

    @property
    def database(self) -> str:
        """The database's address, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'stoep.db'}"

    @property
    def origin(self) -> str:
        """The address that people use, without a slash at the end."""
        host = "localhost" if self.host in {"127.0.0.1", "::1"} else self.host
        return self.base_url or f"http://{host}:{self.port}"


def load_settings(**said: Any) -> Settings:
    """Read the settings from the environment; what was `said` on the command line goes before it.

    Raises ConfigError with one sentence that names the variable that is wrong.
    """
    try:
        return Settings(**said)
    except ValidationError as error:
        first = error.errors()[0]
        name = "STOEP_" + str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{name}: {reason[:1].lower()}{reason[1:]}.") from None
