import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { ApiError, get } from "@/api/client";
import type { EventRow, Finding } from "@/api/rows";
import { CopyButton } from "@/components/CopyButton";
import { LogText } from "@/components/LogText";
import { Notice } from "@/components/Notice";
import { SeverityMark } from "@/components/SeverityMark";
import { textOf } from "@/components/EventTable/columns";
import { ParseStatus } from "@/components/EventTable/ParseStatus";
import { allCaptures } from "@/lib/captures";
import { fullTime, utcTime } from "@/lib/format/time";
import { count } from "@/lib/format/numbers";
import type { Capture } from "@/lib/text/highlight";
import { visible } from "@/lib/text/visible";
import { ContextLines } from "./ContextLines";
import { DetailHead } from "./DetailHead";
import { FieldList } from "./FieldList";

interface EventDetailProps {
  id: string;
  /** The row as the table has it; fetched when it does not. */
  known: EventRow | undefined;
  findings: readonly Finding[];
  onClose: () => void;
  onPick: (capture: Capture, isIn: boolean) => void;
  onOpenEvent: (id: string) => void;
  onOpenFinding: (id: string) => void;
}

const RAW_LIMIT = 8_000;

/** Everything about one event. */
export function EventDetail(props: EventDetailProps) {
  const { id, known, onClose } = props;
  const fetched = useQuery({
    queryKey: ["event", id],
    queryFn: ({ signal }) => get<EventRow>(`events/${encodeURIComponent(id)}`, {}, signal),
    enabled: known === undefined,
    staleTime: Infinity,
  });
  const row = known ?? fetched.data;
  if (row) return <Loaded {...props} row={row} />;
  return (
    <>
      <DetailHead title="Event" onClose={onClose} />
      {fetched.isError ? (
        <Notice kind="failed" onRetry={() => void fetched.refetch()}>
          {fetched.error instanceof ApiError && fetched.error.status === 404
            ? "This event is not stored (any more): retention may have removed it."
            : fetched.error.message}
        </Notice>
      ) : (
        <Notice kind="loading">Reading the event…</Notice>
      )}
    </>
  );
}

function Loaded({ row, findings, onClose, onPick, onOpenEvent, onOpenFinding }: EventDetailProps & { row: EventRow }) {
  const id = row["event.id"];
  const raw = row["event.original"];
  const captures = useMemo(() => allCaptures(row), [row]);
  const [isWhole, setWhole] = useState(false);
  const program = textOf(row, "process.name");
  const pid = textOf(row, "process.pid");
  const where = [textOf(row, "host.name"), pid ? `${program}[${pid}]` : program].filter(Boolean).join(" · ");
  const proven = findings.filter((finding) => finding.event_ids.includes(id));
  return (
    <>
      <DetailHead
        title={fullTime(row["@timestamp"])}
        hint={`${utcTime(row["@timestamp"])} · read ${utcTime(textOf(row, "event.ingested"))}`}
        subtitle={visible(where)}
        onClose={onClose}
      />
      <div className="detail__scroll">
        <div className="raw" data-testid="raw">
          <LogText text={raw} captures={captures} limit={isWhole ? 200_000 : RAW_LIMIT} multiline onPick={onPick} />
        </div>
        {raw.length > RAW_LIMIT && !isWhole && (
          <button type="button" className="link" onClick={() => setWhole(true)}>
            Show all {count(raw.length)} characters
          </button>
        )}
        <div className="detail__verdict">
          <SeverityMark severity={row["event.severity"]} named />
          <span className="spacer" />
          <span className="dim mono">{visible(textOf(row, "log.format"))}</span>
          <ParseStatus row={row} />
        </div>
        {proven.map((finding) => (
          <button key={finding.id} type="button" className="proof-link" onClick={() => onOpenFinding(finding.id)}>
            <SeverityMark severity={finding.severity} />
            <span>
              proves <b>{visible(finding.title)}</b>
            </span>
            <span aria-hidden="true">›</span>
          </button>
        ))}
        <h3 className="section">Fields</h3>
        <FieldList row={row} onPick={onPick} />
        <h3 className="section">Around it in the file</h3>
        <ContextLines key={id} id={id} onOpen={onOpenEvent} />
        <div className="detail__actions">
          <CopyButton label="Copy link" text={() => linkTo(id)} />
          <CopyButton label="Copy raw" text={() => raw} />
          <CopyButton label="Copy JSON" text={() => asJson(row)} />
        </div>
      </div>
    </>
  );
}

/** Without the generation, which is more than a JavaScript number holds; the id says it exactly. */
function asJson(row: EventRow): string {
  return JSON.stringify({ ...row, "vedette.generation": undefined }, null, 2);
}

function linkTo(id: string): string {
  const url = new URL(location.href);
  url.searchParams.set("event", id);
  return url.toString();
}
