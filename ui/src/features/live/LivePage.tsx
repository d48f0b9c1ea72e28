import "./live.css";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useMediaQuery } from "@mantine/hooks";
import type { Finding } from "@/api/rows";
import { EventTable, type EventTableHandle } from "@/components/EventTable/EventTable";
import { columnsOf, DEFAULT_COLUMNS } from "@/components/EventTable/columns";
import { QueryBar } from "@/components/QueryBar/QueryBar";
import { count } from "@/lib/format/numbers";
import { minSeverity, term, withMinSeverity, withTerm } from "@/lib/query/terms";
import { useConnection } from "@/lib/realtime/react";
import { CRITICAL, HIGH } from "@/lib/severity";
import type { Capture } from "@/lib/text/highlight";
import { useUrlState } from "@/lib/urlState";
import { useKeys } from "@/lib/useKeys";
import { ColumnMenu } from "./ColumnMenu";
import { EmptyStream } from "./EmptyStream";
import { KeyboardHelp } from "./KeyboardHelp";
import { MatchRate, RateStrip } from "./RateStrip";
import { SeverityFilter } from "./SeverityFilter";
import { SidePanel } from "./SidePanel";
import { Toasts } from "./Toasts";
import { useFindings } from "./useFindings";
import { useLiveFeed } from "./useLiveFeed";
import { useSeenFindings } from "./useSeenFindings";

/** The stream of events as it happens. */
export function LivePage() {
  const [query, setQuery] = useUrlState("q");
  const [columnIds, setColumnIds] = useUrlState("columns", DEFAULT_COLUMNS);
  const [eventId, setEventId] = useUrlState("event");
  const [findingId, setFindingId] = useUrlState("finding");
  const [panel, setPanel] = useUrlState("panel", "findings");
  const [isPaused, setPaused] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [toasts, setToasts] = useState<readonly Finding[]>([]);
  const [seen, markSeen] = useSeenFindings();
  const isCompact = useMediaQuery("(max-width: 760px)", false, { getInitialValueInEffect: false });
  const table = useRef<EventTableHandle>(null);
  const bar = useRef<HTMLInputElement>(null);
  const connection = useConnection();

  const { feed, snapshot, meter, isReady, error } = useLiveFeed(query, isPaused);
  const view = useDeferredValue(snapshot);
  const columns = useMemo(() => columnsOf(columnIds), [columnIds]);

  const findings = useFindings((finding, before) => {
    const isNews = finding.severity >= CRITICAL && (before === null || before < CRITICAL);
    setToasts((shown) => {
      const others = shown.filter((each) => each.id !== finding.id);
      if (isNews) return [finding, ...others].slice(0, 3);
      return shown.map((each) => (each.id === finding.id ? finding : each));
    });
  });
  const unseen = findings.list.filter((finding) => finding.severity >= HIGH && !seen.has(finding.id)).length;
  useEffect(() => {
    document.title = `${unseen > 0 ? `(${count(unseen)}) ` : ""}Live · Vedette`;
  }, [unseen]);

  useEffect(() => {
    if (eventId) feed.hold("selection");
    else feed.release("selection");
  }, [feed, eventId]);

  const openFinding = useCallback(
    (id: string) => {
      setEventId("");
      setFindingId(id);
      markSeen(id);
      setToasts((before) => before.filter((finding) => finding.id !== id));
    },
    [setEventId, setFindingId, markSeen],
  );
  const pick = useCallback(
    (capture: Capture, isIn: boolean) => setQuery(withTerm(query, capture.column, capture.value, isIn)),
    [query, setQuery],
  );
  const follow = useCallback(() => {
    table.current?.toTop();
    feed.release("selection", "scroll", "pointer");
  }, [feed]);
  const hold = useCallback(
    (reason: "scroll" | "pointer", isHeld: boolean) => {
      if (isHeld) feed.hold(reason);
      else feed.release(reason);
    },
    [feed],
  );
  const close = useCallback(() => {
    if (eventId) setEventId("");
    else if (findingId) setFindingId("");
    else follow();
  }, [eventId, findingId, setEventId, setFindingId, follow]);
  const dismiss = useCallback(
    (id: string) => setToasts((before) => before.filter((finding) => finding.id !== id)),
    [],
  );

  useKeys({
    j: () => table.current?.move(1),
    ArrowDown: () => table.current?.move(1),
    k: () => table.current?.move(-1),
    ArrowUp: () => table.current?.move(-1),
    Enter: () => eventId === "" && table.current?.move(1),
    Escape: close,
    " ": () => setPaused(!isPaused),
    g: follow,
    "/": () => bar.current?.focus(),
    "?": () => setHelpOpen(true),
    f: () => setPanel("findings"),
    s: () => setPanel("sources"),
  });

  const known = useMemo(() => {
    const item = eventId ? view.items.findLast((each) => each.key === eventId) : undefined;
    return item?.kind === "event" ? item.row : undefined;
  }, [view, eventId]);
  const isLive = connection.state === "open" && !isPaused;

  return (
    <main className={`live ${eventId || findingId ? "live--detail" : ""}`}>
      <header className="live__head">
        <h1>Live</h1>
        <QueryBar
          ref={bar}
          query={query}
          placeholder={isCompact ? "filter" : 'filter, e.g. severity>=3 category:authentication -user.name:backup "failed password"'}
          problem={error}
          onApply={setQuery}
          aside={<MatchRate meter={meter} isLive={connection.state === "open" && isReady} />}
        />
        {!isCompact && <ColumnMenu chosen={columns.map((column) => column.id)} onChange={setColumnIds} />}
        <button
          type="button"
          className={`button pause-button ${isLive ? "pause-button--live" : ""}`}
          aria-pressed={isPaused}
          title="Space"
          onClick={() => setPaused(!isPaused)}
        >
          {isPaused ? (
            <>
              <span aria-hidden="true">▶</span> Paused
              <span className="pause-button__count" data-testid="waiting">
                {count(snapshot.waiting)} waiting
              </span>
            </>
          ) : (
            <>
              <span className={`dot dot--${isLive ? "ok" : "down"}`} /> {isLive ? "Live" : "Offline"}
              {!isCompact && <kbd>space</kbd>}
            </>
          )}
        </button>
      </header>
      <div className="live__body">
        <section className={`card live__stream ${connection.state === "open" ? "" : "live__stream--stale"}`}>
          <div className="live__tools">
            <SeverityFilter
              value={minSeverity(query)}
              onChange={(from) => setQuery(withMinSeverity(query, from))}
            />
            <span className="spacer" />
            <RateStrip meter={meter} />
          </div>
          <EventTable
            ref={table}
            snapshot={view}
            columns={columns}
            isCompact={isCompact}
            isPaused={isPaused}
            selectedId={eventId}
            onSelect={setEventId}
            onPick={pick}
            onHold={hold}
            onFollow={follow}
            empty={
              <EmptyStream
                query={query}
                isRefused={error !== null}
                isReady={isReady}
                onClear={() => setQuery("")}
                onShowSources={() => setPanel("sources")}
              />
            }
          />
        </section>
        <SidePanel
          eventId={eventId}
          known={known}
          findingId={findingId}
          findings={findings}
          seen={seen}
          panel={panel}
          unseen={unseen}
          onPanel={setPanel}
          onClose={close}
          onPick={pick}
          onOpenEvent={setEventId}
          onOpenFinding={openFinding}
          onShowEvents={setQuery}
          onPickSource={(id) => setQuery(term("source", id))}
        />
      </div>
      <Toasts findings={toasts} onOpen={openFinding} onDismiss={dismiss} />
      <KeyboardHelp isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </main>
  );
}
