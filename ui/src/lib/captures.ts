import type { Evidence, EventRow, Finding } from "@/api/rows";
import type { Capture } from "@/lib/text/highlight";

/** What a person recognises at a glance in a message. */
const IN_TABLE = ["user.name", "source.ip", "source.address", "destination.ip", "url.original"] as const;

/** Columns that speak about the record, not in it. */
const NOT_IN_TEXT = new Set([
  "event.id", "vedette.seq", "@timestamp", "event.ingested", "event.severity", "event.category", "event.action",
  "event.original", "message", "log.offset", "log.length", "log.file.path", "log.format", "parse.status", "fields",
  "vedette.source", "vedette.generation", "vedette.marks", "template.id", "event.outcome", "log.level",
]); // prettier-ignore

export function tableCaptures(row: EventRow): Capture[] {
  const captures: Capture[] = [];
  for (const column of IN_TABLE) {
    const value = row[column];
    if (typeof value === "string" && value) captures.push({ column, value, kind: "capture" });
  }
  return captures;
}

const ASIDE = ["http.response.status_code", "source.ip", "user.name"] as const;

/** What one wants to know at a glance and the message does not say. */
export function unsaid(row: EventRow): Capture[] {
  const message = row.message ?? row["event.original"];
  const captures: Capture[] = [];
  for (const column of ASIDE) {
    const value = row[column];
    if (value === undefined || message.includes(String(value))) continue;
    captures.push({ column, value: String(value), kind: "capture" });
  }
  return captures;
}

/** Every parsed value, to be found in the raw text. */
export function allCaptures(row: EventRow): Capture[] {
  const captures: Capture[] = [];
  for (const [column, value] of Object.entries({ ...row, ...prefixed(row.fields) })) {
    if (NOT_IN_TEXT.has(column)) continue;
    if ((typeof value === "string" && value.length > 0) || typeof value === "number") {
      captures.push({ column, value: String(value), kind: "capture" });
    }
  }
  return captures;
}

export function evidenceCaptures(evidence: Evidence, finding: Finding): Capture[] {
  const proof: Capture = { column: evidence.column, value: evidence.value, kind: "proof" };
  const entity = Object.entries(finding.entity).map(
    ([column, value]): Capture => ({ column, value, kind: "capture" }),
  );
  return [proof, ...entity];
}

export function prefixed(fields: EventRow["fields"]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields ?? {}).map(([key, value]) => [`fields.${key}`, value]));
}
