"""`stoep vapid`: the public half of the key that push services know us by."""

import argparse
from typing import Any

from app.config import Settings
from app.push.vapid import contact, server_key


def register(subparsers: Any) -> None:
    """Add the command to those of `stoep`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "vapid",
        help="print the public key that push services know us by",
        description="The key pair follows from the key file in the data folder. When that file is "
        "lost, every phone has to subscribe anew, which the app does by itself when it is opened.",
    )
    parser.set_defaults(run=_show)


def _show(_args: argparse.Namespace, settings: Settings) -> int:
    ours = server_key(settings)
    print(f"key          {ours.public}")
    print(f"fingerprint  {ours.fingerprint}")
    print(f"contact      {contact(settings)}")
    return 0
