"""The floors' server: uvicorn as Stoep runs it, handing out bytes that lie ready.

    python -m bench.floor FOLDER

`/static/NAME` is a file of the folder as any static server would send it. `/ready/NAME` is the
file's bytes from memory, said to be gzip when NAME.gz is what lies there. `/empty` is a FastAPI
route that does nothing, for the rate that this stack can reach at all.
"""

import mimetypes
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from bench.listening import listen


def create_app(folder: Path) -> FastAPI:
    """Return the application; files are read once, at their first request."""
    app = FastAPI(openapi_url=None)
    ready: dict[str, Response] = {}

    @app.get("/blank")
    async def blank() -> Response:
        return Response("<!doctype html><title>floor</title>", media_type="text/html")

    @app.post("/empty")
    async def empty() -> dict[str, Any]:
        return {}

    @app.post("/forget")
    async def forget(_request: Request) -> Response:
        ready.clear()
        return Response(status_code=204)

    @app.get("/ready/{name}")
    async def send(name: str) -> Response:
        response = ready.get(name)
        if response is None:
            response = ready[name] = _read(folder, name)
        return response

    app.mount("/static", StaticFiles(directory=folder))
    return app


def _read(folder: Path, name: str) -> Response:
    headers = {
        "content-type": mimetypes.guess_type(name)[0] or "application/x-ndjson",
        "cache-control": "no-store",
        "service-worker-allowed": "/",
    }
    packed = folder / f"{name}.gz"
    if packed.exists():
        return Response(packed.read_bytes(), headers=headers | {"content-encoding": "gzip"})
    return Response((folder / name).read_bytes(), headers=headers)


def main(folder: Path) -> None:
    """Serve until terminated."""
    listener = listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(
        uvicorn.Config(
            create_app(folder), log_level="warning", access_log=False, server_header=False
        )
    ).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
