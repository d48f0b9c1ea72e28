import type { EventRow } from "@/api/rows";

/** A column a person can choose. `width` as in grid-template-columns. */
export interface TableColumn {
  id: string;
  title: string;
  width: string;
  /** The event column whose text it shows, when it does no more than that. */
  field?: string;
  dim?: boolean;
}

export const COLUMNS: readonly TableColumn[] = [
  { id: "time", title: "Time", width: "110px" },
  { id: "severity", title: "Sev", width: "38px" },
  { id: "host", title: "Host", width: "minmax(56px, 80px)", field: "host.name" },
  { id: "program", title: "Program", width: "minmax(52px, 84px)", field: "process.name", dim: true },
  { id: "category", title: "Category", width: "112px", field: "event.category", dim: true },
  { id: "action", title: "Action", width: "120px", field: "event.action", dim: true },
  { id: "outcome", title: "Outcome", width: "72px", field: "event.outcome", dim: true },
  { id: "user", title: "User", width: "96px", field: "user.name" },
  { id: "address", title: "Address", width: "128px", field: "source.ip" },
  { id: "message", title: "Message", width: "minmax(200px, 1fr)" },
  { id: "format", title: "Format", width: "128px", field: "log.format", dim: true },
  { id: "file", title: "File", width: "168px", field: "log.file.path", dim: true },
  { id: "source", title: "Source", width: "112px", field: "vedette.source", dim: true },
  { id: "status", title: "Parse", width: "42px" },
];

const DEFAULT_IDS = ["time", "severity", "host", "program", "message", "status"] as const;

export const DEFAULT_COLUMNS = DEFAULT_IDS.join(",");

/** The columns named in `text` (comma-separated), in the table's order; the usual ones when none is known. */
export function columnsOf(text: string): TableColumn[] {
  const ids = new Set(text.split(","));
  const chosen = COLUMNS.filter((column) => ids.has(column.id));
  return chosen.length > 0 ? chosen : columnsOf(DEFAULT_COLUMNS);
}

export function textOf(row: EventRow, column: string): string {
  const value = row[column];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
