import type { EventRow } from "@/api/rows";
import { prefixed } from "@/lib/captures";
import { utcTime } from "@/lib/format/time";
import type { Capture } from "@/lib/text/highlight";
import { clip, visible } from "@/lib/text/visible";
import { CopyIcon } from "@/components/CopyButton";

const HIDDEN = new Set(["event.original", "message", "fields", "event.id", "vedette.generation", "log.length"]);
/** What an operator looks for first; the rest follows in its own order. */
const FIRST = [
  "event.category", "event.action", "event.outcome", "user.name", "source.ip", "source.port", "source.address",
  "host.name", "process.name", "process.pid", "log.level", "event.severity", "log.file.path", "log.format",
]; // prettier-ignore
/** What is about the record, not about what happened. */
const LAST = ["vedette.source", "parse.status", "@timestamp", "event.ingested", "vedette.seq", "log.offset"];
/** Columns one does not filter by equality. */
const UNFILTERED = new Set(["@timestamp", "event.ingested", "vedette.seq", "log.offset"]);
const FIELD_NAME = /^[\w.@-]+$/;
const VALUE_LIMIT = 600;

/** Every field of an event, each value a filter in or out. */
export function FieldList({ row, onPick }: { row: EventRow; onPick: (capture: Capture, isIn: boolean) => void }) {
  return (
    <dl className="fields">
      {entriesOf(row).map(([column, value]) => (
        <div key={column} className="fields__row">
          <dt title={column}>{column}</dt>
          <dd title={visible(value)}>
            <bdi>{visible(clip(shown(column, value), VALUE_LIMIT))}</bdi>
          </dd>
          <dd className="fields__actions">
            {!UNFILTERED.has(column) && FIELD_NAME.test(column) && (
              <>
                <FilterButton sign="+" column={column} value={value} onPick={onPick} />
                <FilterButton sign="−" column={column} value={value} onPick={onPick} />
              </>
            )}
            <CopyIcon value={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function FilterButton(props: {
  sign: "+" | "−";
  column: string;
  value: string;
  onPick: (capture: Capture, isIn: boolean) => void;
}) {
  const { sign, column, value, onPick } = props;
  const isIn = sign === "+";
  const label = `Filter ${isIn ? "in" : "out"} ${column}`;
  return (
    <button
      type="button"
      className="fields__button"
      aria-label={label}
      title={label}
      onClick={() => onPick({ column, value, kind: "capture" }, isIn)}
    >
      {sign}
    </button>
  );
}

function shown(column: string, value: string): string {
  return column === "@timestamp" || column === "event.ingested" ? utcTime(value) : value;
}

function entriesOf(row: EventRow): [string, string][] {
  const all = { ...row, ...prefixed(row.fields) };
  const names = Object.keys(all).filter((name) => !HIDDEN.has(name));
  const rank = (name: string) => {
    const first = FIRST.indexOf(name);
    return first >= 0 ? first : FIRST.length + LAST.indexOf(name) + 1;
  };
  return names
    .toSorted((a, b) => rank(a) - rank(b))
    .map((name) => {
      const value: unknown = all[name];
      return [name, typeof value === "string" ? value : JSON.stringify(value)];
    });
}
