"""`vedette serve` as an object: built once, run once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from pydantic import TypeAdapter

import vedette
from vedette.analysis.incidents import incidents_of
from vedette.api import Services, create_app, server_options
from vedette.app.backtest_control import BacktestControl
from vedette.app.core import USER_FORMATS, open_core
from vedette.app.exception_control import ExceptionControl
from vedette.app.finding_control import FindingControl
from vedette.app.formats import FormatControl
from vedette.app.model_control import ModelAdviceControl
from vedette.app.rule_control import RuleControl
from vedette.app.sources import RunSources, SourceControl
from vedette.app.upkeep import (
    follow_formats,
    follow_rules,
    keep_retention,
    learn_formats,
    survey_events,
    tell_metrics,
)
from vedette.configdb import AdviceBook, AuditTrail, ConfigManager, ExceptionBook, ProposalQueue, RuleStates, TriageBook
from vedette.demo import DemoWriter
from vedette.health import HealthMonitor, ProcessProbe, RateMeter
from vedette.live import EventBroadcaster, WebSocketManager
from vedette.model.batches import Committed
from vedette.model.clock import Clock, SystemClock
from vedette.model.errors import SettingsError
from vedette.model.health import HealthState, PartHealth
from vedette.settings import Settings
from vedette.sources import LogSourceConfig, SourceSupervisor

log = structlog.get_logger(__name__)

WEB_ROOT: Final = Path(vedette.__file__).parent / "web"
DEMO_FOLDER: Final = "demo-logs"
_DRAIN_SECONDS: Final = 7.0


class Server:
    """The running system. `run` returns after SIGINT, SIGTERM or `stop`; what was read is committed by then."""

    def __init__(self, settings: Settings, sources: RunSources, *, clock: Clock, demo: bool) -> None:
        self.data_dir = settings.data_dir
        self.remarks = list(sources.remarks)
        self._settings = settings
        self._clock = clock
        self._started = clock.now()
        self._stop = asyncio.Event()
        self._rate = RateMeter(clock)
        self._listener = listen(settings.host, settings.port)
        try:
            self._core = open_core(settings, clock, self._tell, watched=self._watched)
        except BaseException:
            self._listener.close()
            raise
        with contextlib.ExitStack() as undo:
            undo.callback(self._core.close)
            undo.callback(self._listener.close)
            self._join(sources, demo=demo)
            undo.pop_all()

    def _watched(self) -> frozenset[str]:
        """Ids of the sources that are switched on."""
        return frozenset(config.id for config in self._supervisor.configs() if config.enabled)

    def _join(self, sources: RunSources, *, demo: bool) -> None:
        core = self._core
        store = core.store
        database = core.database
        self._config = ConfigManager(database, TypeAdapter(LogSourceConfig), self._clock)
        self._formats = FormatControl(
            folder=self.data_dir / USER_FORMATS,
            engine=core.middle.engine,
            queue=ProposalQueue(database, self._clock),
            sampler=core.sampler,
            clock=self._clock,
        )
        self._join_detection()
        self._demo = DemoWriter(self.data_dir / DEMO_FOLDER, clock=self._clock) if demo else None
        self._broadcaster = EventBroadcaster(
            epoch=store.epoch,
            next_seq=store.next_seq(),
            next_finding_seq=store.next_finding_seq(),
            events_after=lambda seq, until, limit: store.frames_after(seq, until, limit=limit),
            findings_after=lambda seq, limit: store.findings_after(seq, limit=limit),
            clock=self._clock,
        )
        self._sockets = WebSocketManager(self._broadcaster, version=vedette.__version__, clock=self._clock)
        monitoring = sources.monitoring.model_copy(update={"sources": ()})
        self._supervisor = SourceSupervisor(core.queue.put, store.positions, monitoring=monitoring, clock=self._clock)
        self._sources = SourceControl(
            supervisor=self._supervisor,
            config=self._config,
            engine=core.middle.engine,
            run=sources.with_demo(self._demo.paths) if self._demo else sources,
            clock=self._clock,
        )
        self._health = HealthMonitor(ProcessProbe(self.data_dir, self._clock), self._clock)
        self._health.register("store", store.health)
        self._health.register("pipeline", core.pipeline.health)
        self._health.register("sources", self._supervisor.health)
        self._health.register("live", self._sockets.health)
        self._health.register("configuration", self._configuration_health)
        self._health.register("formats", self._formats.health)
        self._health.register("rules", self._rules.health)
        self._health.register("model", self._model.health)
        self._app = create_app(
            Services(
                store=store,
                broadcaster=self._broadcaster,
                sockets=self._sockets,
                sources=self._sources,
                library=self._formats,
                rules=self._rules,
                findings=self._findings,
                exceptions=self._exceptions,
                backtests=self._backtests,
                model=self._model,
                health=self._health,
                stats=self.stats,
                formats=self._formats_of_sources,
                clock=self._clock,
                version=vedette.__version__,
                template_ids=core.middle.engine.templates.aliases,
                web_root=WEB_ROOT,
            )
        )

    def _join_detection(self) -> None:
        """What people decide about rules and findings."""
        core, detection = self._core, self._core.middle.detection
        book = ExceptionBook(core.database, self._clock)
        self._rules = RuleControl(
            library=detection.library,
            detector=detection.detector,
            states=RuleStates(core.database, self._clock),
            book=book,
            store=core.store,
            clock=self._clock,
            import_from=self._settings.rules.import_from,
        )
        self._rules.note_compiled(detection.compiled)
        self._backtests = BacktestControl(store=core.store, library=detection.library, clock=self._clock)
        self._exceptions = ExceptionControl(
            book=book,
            store=core.store,
            backtests=self._backtests,
            is_rule=self._rules.is_rule,
            tell=detection.detector.exclusions.use,
            clock=self._clock,
        )
        advice = AdviceBook(core.database, self._clock, keep_for=self._settings.store.retention_age)
        self._findings = FindingControl(
            store=core.store,
            triage=TriageBook(core.database, self._clock),
            book=book,
            trail=AuditTrail(core.database),
            advice=advice,
            incidents_of=incidents_of,
        )
        self._model = ModelAdviceControl(
            self._settings.ai,
            store=core.store,
            book=advice,
            incidents=self._findings.newest_incidents,
            clock=self._clock,
        )

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def source_count(self) -> int:
        return self._sources.count

    def stop(self) -> None:
        """Ask the server to end; safe to call twice."""
        self._stop.set()

    def stats(self) -> Mapping[str, Any]:
        """Numbers of this moment, for the API and the live metrics."""
        queue = self._core.queue.stats()
        pipeline = self._core.pipeline.stats()
        return {
            "events_per_second": self._rate.rates(),
            "events": pipeline.events,
            "findings": pipeline.findings,
            "commits": pipeline.commits,
            "failures": pipeline.failures,
            "latency_p50_ms": _milliseconds(pipeline.latency_p50),
            "latency_p99_ms": _milliseconds(pipeline.latency_p99),
            "seconds_by_stage": {stage: round(seconds, 3) for stage, seconds in pipeline.seconds.items()},
            "queue": {
                "waiting_bytes": queue.waiting_bytes,
                "waiting_entries": queue.waiting_entries,
                "max_bytes": queue.max_bytes,
                "blocked_readers": queue.blocked_readers,
                "times_full": queue.times_full,
                "entries_in": queue.entries_in,
                "entries_out": queue.entries_out,
            },
            **self._model.stats(),
        }

    async def run(self, *, announce: Callable[[Server], None]) -> None:
        """Start everything, wait for the end, stop everything in order."""
        http = _Http(self._app)
        pipeline = asyncio.create_task(self._core.pipeline.run(), name="pipeline")
        serving = asyncio.create_task(http.serve(sockets=[self._listener]), name="http")
        beside: list[asyncio.Task[None]] = []
        try:
            with self._signals():
                await asyncio.to_thread(self._broadcaster.seed)
                await self._sources.start()
                beside = [asyncio.create_task(task) for task in self._beside()]
                await http.until_started(serving)
                self._core.folder.publish_address(self.address)
                announce(self)
                stopped = asyncio.create_task(self._stop.wait())
                await asyncio.wait({stopped, pipeline, serving}, return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                await self._shut_down(beside, pipeline, serving, http)
        finally:
            for task in (*beside, pipeline, serving):
                task.cancel()
            self._broadcaster.close()
            await asyncio.to_thread(self._backtests.close)
            await asyncio.to_thread(self._core.close)
            self._config.close()
        for task in (pipeline, serving):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _shut_down(
        self,
        beside: list[asyncio.Task[None]],
        pipeline: asyncio.Task[None],
        serving: asyncio.Task[None],
        http: _Http,
    ) -> None:
        """Stop reading, commit what was read, tell it, then close the doors."""
        log.info("stopping")
        for task in beside:
            task.cancel()
        await self._sources.stop()
        self._core.queue.close()
        _, late = await asyncio.wait({pipeline}, timeout=_DRAIN_SECONDS)
        if late:
            log.warning("drain_unfinished", remedy="what was not committed is read again at the next start")
        await self._sockets.close()
        http.should_exit = True
        await asyncio.wait({serving}, timeout=_DRAIN_SECONDS)
        log.info("stopped")

    def _beside(self) -> Iterator[Any]:
        yield keep_retention(self._core.store, self._settings.store, self._clock)
        yield tell_metrics(self._broadcaster, self._health, self.stats)
        yield follow_formats(self._formats)
        yield follow_rules(self._rules)
        yield survey_events(self._rules)
        yield learn_formats(self._formats, self._core.store, self._sources.with_wished_format())
        yield self._model.run()
        if self._demo is not None:
            yield self._demo.run()

    def _configuration_health(self) -> PartHealth:
        unreadable = self._config.unreadable
        if not unreadable:
            return PartHealth("configuration", HealthState.OK, self._started)
        name, reason = next(iter(unreadable.items()))
        remedy = f"Remove it (`vedette sources remove {name}`) and add it anew"
        text = f"{len(unreadable)} kept source(s) are not valid any more: {name}: {reason}"
        return PartHealth("configuration", HealthState.DEGRADED, self._started, text, remedy)

    def _formats_of_sources(self) -> Mapping[str, Any]:
        return {
            choice.source: {"name": choice.format, "confidence": choice.confidence, "reason": choice.reason}
            for choice in self._core.middle.engine.choices()
        }

    def _tell(self, committed: Committed) -> None:
        self._rate.add(committed.events.height)
        self._broadcaster.publish(committed)
        self._model.note(committed.findings)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted = (signal.SIGINT, signal.SIGTERM)
        for number in wanted:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)


class _Http(uvicorn.Server):
    """uvicorn on a socket of ours; signals are ours too."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, **server_options()))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def until_started(self, serving: asyncio.Task[None]) -> None:
        """Return when requests are answered; raise what stopped it from that."""
        while not self.started:
            if serving.done():
                serving.result()
                raise SettingsError("the HTTP server ended before it had started; see the log")
            await asyncio.sleep(0.005)


def build_server(settings: Settings, sources: RunSources, *, demo: bool = False) -> Server:
    """A server that owns its data folder and its port. Call within no event loop or the one that runs it."""
    return Server(settings, sources, clock=SystemClock(), demo=demo)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError when the port is taken or the address is not ours."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"port {port} on {host} cannot be used ({error.strerror}); choose another with --port, or 0 for a free one",
            field="port",
        ) from error
    return listener


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
