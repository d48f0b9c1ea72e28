import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { get } from "@/api/client";
import type { EventRow } from "@/api/rows";
import { LogText } from "@/components/LogText";
import { Notice } from "@/components/Notice";

/** The lines before and after an event in its file. */
export function ContextLines({ id, onOpen }: { id: string; onOpen: (id: string) => void }) {
  const [reach, setReach] = useState(4);
  const context = useQuery({
    queryKey: ["context", id, reach],
    queryFn: ({ signal }) =>
      get<{ rows: EventRow[] }>(`events/${encodeURIComponent(id)}/context`, { before: reach, after: reach }, signal),
    placeholderData: keepPreviousData,
    staleTime: 2_000,
  });
  if (context.isPending) return <Notice kind="loading">Reading its neighbours…</Notice>;
  if (context.isError) {
    return (
      <Notice kind="failed" onRetry={() => void context.refetch()}>
        The lines around it could not be read.
      </Notice>
    );
  }
  return (
    <>
      <ol className="context" data-testid="context">
        {context.data.rows.map((row) => {
          const isIt = row["event.id"] === id;
          return (
            <li key={row["event.id"]} className={isIt ? "context__it" : ""} aria-current={isIt}>
              <button type="button" disabled={isIt} onClick={() => onOpen(row["event.id"])}>
                <LogText text={row["event.original"]} limit={300} />
              </button>
            </li>
          );
        })}
      </ol>
      {reach < 64 && (
        <button type="button" className="link" onClick={() => setReach(reach * 4)}>
          More lines
        </button>
      )}
    </>
  );
}
