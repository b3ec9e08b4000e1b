"""Names for tests that speak to the application as browsers do."""

from collections.abc import Callable

import httpx

ORIGIN = "http://localhost:8000"
OURS = {"Origin": ORIGIN}
PADDEPOEL = "WK001405"
BEIJUM = "WK001408"

Client = Callable[..., httpx.AsyncClient]
