import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { EventRow } from "@/api/rows";
import { EventFeed, type FeedSnapshot } from "@/lib/feed/EventFeed";
import { RateMeter } from "@/lib/feed/RateMeter";
import { useSubscription } from "@/lib/realtime/react";
import type { ErrorFrame } from "@/lib/realtime/protocol";

/** Rows the table opens with. */
const BACKLOG = 500;

export interface LiveFeed {
  feed: EventFeed;
  snapshot: FeedSnapshot;
  meter: RateMeter;
  isReady: boolean;
  error: ErrorFrame | null;
}

/** The live events that match `query`, from the newest stored ones on. */
export function useLiveFeed(query: string, isPaused: boolean): LiveFeed {
  // A new query is a new list and a new count.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- they belong to the query, though they do not use it
  const { feed, meter } = useMemo(() => ({ feed: new EventFeed(), meter: new RateMeter() }), [query]);
  const [told, setTold] = useState<{ query: string; isReady: boolean; error: ErrorFrame | null } | null>(null);
  const snapshot = useSyncExternalStore(feed.subscribe, feed.snapshot);

  useEffect(() => {
    if (isPaused) feed.hold("pause");
    else feed.release("pause");
  }, [feed, isPaused]);

  useSubscription<EventRow>(
    { stream: "events", query, backlog: BACKLOG },
    {
      onRows: (rows, isHistory) => {
        feed.push(rows, isHistory);
        if (!isHistory) meter.add(severities(rows), Date.now());
      },
      onGap: (gap) =>
        feed.mark({ kind: "missed", key: `gap-${gap.first_seq}-${gap.last_seq}`, missed: gap.missed, reason: gap.reason }),
      onInterruption: ({ id, lostForMs, filled }) =>
        feed.mark({ kind: "filled", key: `interruption-${id}`, lostForMs, filled }),
      onReady: () => setTold({ query, isReady: true, error: null }),
      onError: (error) => setTold({ query, isReady: false, error }),
    },
  );
  const current = told?.query === query ? told : null;
  return { feed, snapshot, meter, isReady: current?.isReady ?? false, error: current?.error ?? null };
}

function* severities(rows: readonly EventRow[]): Generator<number> {
  for (const row of rows) yield row["event.severity"] ?? 1;
}
