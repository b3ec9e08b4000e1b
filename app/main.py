"""The application put together: the only file that knows every feature."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI

from app import __version__, paths, problems, security, web
from app.accounts import routes as accounts_routes
from app.channels import hooks, registry, web_notice, web_routes
from app.channels import routes as channels_routes
from app.channels.alert_mail import AlertMail, Opener
from app.channels.contract import Adapter, Paying
from app.channels.fetching import Fetching
from app.channels.models import Account
from app.channels.purse import AccountPurse
from app.channels.searching import Searches
from app.clock import Clock, SystemClock
from app.config import Settings
from app.db import FEED, WORK, Database
from app.delivery.worker import Worker
from app.inbox import attachments
from app.inbox.leftovers import Leftovers
from app.inbox.service import link_attachments
from app.listening import routes as listening_routes
from app.meetings import hall_routes
from app.meetings import routes as meetings_routes
from app.meetings.reminders import Reminders
from app.meetings.streams import Halls
from app.oncall import queries as oncall_queries
from app.oncall import routes as oncall_routes
from app.oncall import unreachable, watch
from app.oncall.outside import Way, Ways
from app.oncall.postman import Postman
from app.oncall.sms import SmsGateway
from app.oncall.steps import Means
from app.oncall.worker import EscalationWorker
from app.push import routes as push_routes
from app.push.worker import PushWorker
from app.secrets import unseal
from app.sync import feed, replica
from app.sync import routes as sync_routes
from app.sync.stream import Hub
from app.triage import routes as triage_routes
from app.triage.silence import Sweep

log = logging.getLogger(__name__)

DESCRIPTION = """
Stoep's own API, between the phone and the server. It follows the Dutch API Design Rules: errors are
`application/problem+json` (RFC 9457), the version stands in the path and in the `API-Version`
header, and instants are whole milliseconds since 1970 in UTC (fields that end in `_ms`).
"""


def open_database(settings: Settings, clock: Clock | None = None) -> Database:
    """Return the database with alerts and the feed hooked to its commits."""
    db = Database(settings.database)
    db.before_commit += [link_attachments, watch.hook(clock or SystemClock()), feed.publish]
    return db


def open_adapter(
    settings: Settings, clock: Clock, db: Database, account: Account
) -> Adapter | None:
    """Return the adapter of an account with its secret opened; None where there is none."""
    adapter = registry.adapter_of(account, unseal(settings, account.secret), clock.now_ms)
    if adapter is not None and isinstance(adapter, Paying):
        adapter.pay_from(AccountPurse(db, account.id))
    return adapter


def create_app(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """Return the application. The database must have been migrated."""
    app = FastAPI(
        title="Stoep",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        license_info={"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        # The framework's own would hand the words of errors, which can be a resident's, to whatever
        # collector the environment names; and it looks for one at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    state = app.state
    state.settings = settings
    state.clock = clock or SystemClock()
    state.db = open_database(settings, state.clock)
    state.hub = Hub()
    state.halls = Halls(state.db)
    state.pages = replica.PageCache()
    state.build = paths.front_end()["build"]
    state.on_revoke = [state.hub.drop]
    state.teams_led_by = oncall_queries.teams_led_by
    state.can_search = registry.can_search
    state.db.after_commit += [state.hub.committed, state.halls.committed]
    problems.install(app)
    for router in (
        sync_routes.router,
        accounts_routes.router,
        attachments.router,
        web_routes.router,
        channels_routes.router,
        hooks.router,
        push_routes.router,
        oncall_routes.router,
        triage_routes.router,
        listening_routes.router,
        meetings_routes.router,
        meetings_routes.pages,
        hall_routes.router,
        web.router,
    ):
        app.include_router(router)
    app.add_middleware(sync_routes.ShortCut)
    security.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    state.hub.attach(asyncio.get_running_loop())
    tasks = []
    if state.settings.worker:
        tasks += _background(state.settings, state.db, state.clock)
    if not state.db.is_sqlite:
        poke = {FEED: lambda seq: _poke(state, int(seq))}
        tasks.append(asyncio.create_task(state.db.listen(poke)))
    try:
        yield
    finally:
        state.hub.close()
        state.halls.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(state.db.close)


def _poke(state: Any, seq: int) -> None:
    state.hub.poke(seq)
    state.halls.poke(seq)


def _background(settings: Settings, db: Database, clock: Clock) -> list["asyncio.Task[None]"]:
    opener = partial(open_adapter, settings, clock, db)
    worker = Worker(db, clock, opener, partial(web_notice.write_notice, settings))
    pushing = PushWorker(db, clock, settings, on_call=unreachable.is_on_call)
    ways = open_ways(settings, db, opener)
    escalating = EscalationWorker(db, clock, Means(settings, ways))
    postman = Postman(db, clock, ways)
    wakes: dict[str, Worker | PushWorker | EscalationWorker | Postman] = {
        "head": worker,
        "pushes": pushing,
        "alerts": escalating,
        "letters": postman,
    }
    loop = asyncio.get_running_loop()

    def wake(news: Mapping[str, object]) -> None:
        for what, sleeper in wakes.items():
            if news.get(what) and not loop.is_closed():
                loop.call_soon_threadsafe(sleeper.wake)

    db.after_commit.append(wake)
    fetching = Fetching(db, clock, opener, max_bytes=settings.max_photo_bytes)
    sweep, reminders = Sweep(db, clock), Reminders(db, clock)
    leftovers = Leftovers(db, clock)
    searches = Searches(db, clock, opener)
    everyone = (
        *(worker, fetching, sweep, leftovers, pushing, escalating, postman, searches),
        reminders,
    )
    tasks = [asyncio.create_task(one.run()) for one in everyone]
    if not db.is_sqlite:
        # A push that another process queues leaves at once too, not at our next look.
        heard: dict[str, Callable[[str], None]] = {
            FEED: lambda _seq: wake({"head": True}),
            WORK: lambda what: wake(dict.fromkeys(what.split(), True)),
        }
        tasks.append(asyncio.create_task(db.listen(heard)))
    return tasks


def open_ways(settings: Settings, db: Database, opener: Opener) -> Ways:
    """Return how an escalation leaves: by the teams' mailboxes, and a gateway if there is one."""
    ways: dict[str, Way] = {"email": AlertMail(db, opener)}
    if settings.sms_url:
        ways["sms"] = SmsGateway(settings)
    return ways


async def run_worker(settings: Settings, *, clock: Clock | None = None) -> None:
    """Fetch and deliver without a web server, until cancelled."""
    clock = clock or SystemClock()
    db = open_database(settings, clock)
    try:
        await asyncio.gather(*_background(settings, db, clock))
    finally:
        db.close()
