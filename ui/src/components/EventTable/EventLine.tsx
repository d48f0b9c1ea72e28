import { memo, useMemo } from "react";
import type { EventRow } from "@/api/rows";
import { LogText } from "@/components/LogText";
import { SeverityMark } from "@/components/SeverityMark";
import { tableCaptures, unsaid } from "@/lib/captures";
import { rowTime, utcTime } from "@/lib/format/time";
import type { Capture } from "@/lib/text/highlight";
import { clip, visible } from "@/lib/text/visible";
import { textOf, type TableColumn } from "./columns";
import { ParseStatus } from "./ParseStatus";

interface EventLineProps {
  row: EventRow;
  columns: readonly TableColumn[];
  template: string;
  isCompact: boolean;
  isSelected: boolean;
  onSelect: (id: string) => void;
  onPick: (capture: Capture, isIn: boolean) => void;
}

const MESSAGE_LIMIT = 400;
const CELL_LIMIT = 120;

/** One event. On a narrow screen it takes two lines, the facts and the message, and a tap anywhere opens it. */
export const EventLine = memo(function EventLine(props: EventLineProps) {
  const { row, columns, template, isCompact, isSelected, onSelect, onPick } = props;
  const id = row["event.id"];
  const shared = {
    id: `event-${id}`,
    role: "row",
    "aria-selected": isSelected,
    "data-seq": row["vedette.seq"],
    onClick: () => onSelect(id),
  };
  if (isCompact) {
    return (
      <div {...shared} className="event-table__row event-table__row--compact">
        <div role="gridcell" className="event-table__facts">
          <SeverityMark severity={row["event.severity"]} />
          <TimeText iso={row["@timestamp"]} />
          <span>{visible(clip(textOf(row, "host.name"), 40))}</span>
          <span className="dim">{visible(clip(textOf(row, "process.name"), 40))}</span>
          <ParseStatus row={row} />
        </div>
        <div role="gridcell" className="event-table__message">
          <Message row={row} onPick={undefined} />
        </div>
      </div>
    );
  }
  return (
    <div {...shared} className="event-table__row" style={{ gridTemplateColumns: template }}>
      {columns.map((column) => (
        <div key={column.id} role="gridcell" className={`event-table__cell ${column.dim ? "dim" : ""}`}>
          <Cell row={row} column={column} onPick={onPick} />
        </div>
      ))}
    </div>
  );
});

function Cell({ row, column, onPick }: { row: EventRow; column: TableColumn; onPick: EventLineProps["onPick"] }) {
  switch (column.id) {
    case "time":
      return <TimeText iso={row["@timestamp"]} />;
    case "severity":
      return <SeverityMark severity={row["event.severity"]} />;
    case "message":
      return <Message row={row} onPick={onPick} />;
    case "status":
      return <ParseStatus row={row} />;
    default: {
      const text = visible(clip(textOf(row, column.field ?? ""), CELL_LIMIT));
      return <bdi title={text}>{text}</bdi>;
    }
  }
}

function Message({ row, onPick }: { row: EventRow; onPick: EventLineProps["onPick"] | undefined }) {
  const captures = useMemo(() => tableCaptures(row), [row]);
  const aside = useMemo(() => unsaid(row), [row]);
  return (
    <>
      <LogText
        text={row.message ?? row["event.original"]}
        captures={captures}
        limit={MESSAGE_LIMIT}
        onPick={onPick}
      />
      {aside.length > 0 && (
        <span className="event-table__aside">
          {aside.map((capture) => (
            <span key={capture.column}>
              {" · "}
              <LogText text={capture.value} captures={[capture]} limit={80} onPick={onPick} />
            </span>
          ))}
        </span>
      )}
    </>
  );
}

function TimeText({ iso }: { iso: string }) {
  return (
    <time className="event-table__time" dateTime={iso} title={utcTime(iso)}>
      {rowTime(iso, new Date())}
    </time>
  );
}
