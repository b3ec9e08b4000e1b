"""What to do when this machine lacks a program that a test needs."""

import os
from typing import NoReturn

import pytest


def give_up(what: str) -> NoReturn:
    """Skip with one line that says what to install; in CI that is a failure, never a skip."""
    if os.environ.get("CI"):
        pytest.fail(f"missing on this machine: {what}", pytrace=False)
    pytest.skip(f"missing on this machine: {what}")
