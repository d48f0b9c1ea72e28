import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get } from "@/api/client";
import type { Finding } from "@/api/rows";
import { useSubscription } from "@/lib/realtime/react";

const KEPT = 200;

export interface Findings {
  /** Most recently changed first. */
  list: readonly Finding[];
  state: "loading" | "failed" | "ready";
  reload: () => void;
}

/** The newest findings: what is stored, kept current by the stream. `onArrival` hears each one as it comes, with the
 * severity it had before; null when it is new. */
export function useFindings(onArrival: (finding: Finding, before: number | null) => void): Findings {
  const stored = useQuery({
    queryKey: ["findings"],
    queryFn: ({ signal }) => get<{ rows: Finding[] }>("findings", { limit: 100 }, signal),
  });
  const [arrived, setArrived] = useState<ReadonlyMap<string, Finding>>(new Map());
  useSubscription<Finding>(
    { stream: "findings" },
    {
      // What was made between the reading and the subscription, or fell into a gap.
      onReady: () => void stored.refetch(),
      onGap: () => void stored.refetch(),
      onRows: (rows) => {
        const known = new Map(stored.data?.rows.map((each) => [each.id, each.severity]));
        for (const each of arrived.values()) known.set(each.id, each.severity);
        for (const finding of rows) onArrival(finding, known.get(finding.id) ?? null);
        setArrived((before) => {
          const after = new Map(before);
          for (const finding of rows) after.set(finding.id, finding);
          return new Map([...after].slice(-KEPT));
        });
      },
    },
  );
  const list = useMemo(() => {
    const byId = new Map(stored.data?.rows.map((finding) => [finding.id, finding]));
    for (const [id, finding] of arrived) byId.set(id, finding);
    return [...byId.values()].toSorted((a, b) => b.last_seen.localeCompare(a.last_seen)).slice(0, KEPT);
  }, [stored.data, arrived]);
  const state = stored.isPending ? "loading" : stored.isError && list.length === 0 ? "failed" : "ready";
  return { list, state, reload: () => void stored.refetch() };
}
