import type { WatchedSource } from "@/api/system";

/** What the list says of a source beyond its state. Counters are the reader's own: taken where they are there. */
export interface SourceFacts {
  title: string;
  paths: string[];
  /** Lines a second. */
  rate: number | null;
  lagBytes: number | null;
  lastLineAt: string | null;
  fileCount: number;
  format: string | null;
  /** running, waiting, failed, disabled …: finer than the state. */
  activity: string | null;
}

export function factsOf(source: WatchedSource): SourceFacts {
  const details = source.details ?? {};
  const paths = texts(source.config.paths);
  return {
    title: source.name !== "" ? source.name : (paths[0] ?? source.id),
    paths: source.files && source.files.length > 0 ? source.files : paths,
    rate: number(details.events_per_second),
    lagBytes: number(details.lag_bytes),
    fileCount: number(details.file_count) ?? source.files?.length ?? 0,
    lastLineAt: text(details.last_line_at),
    format: formatOf(source.format),
    activity: text(details.state),
  };
}

function formatOf(format: unknown): string | null {
  if (typeof format === "string") return format || null;
  if (Array.isArray(format)) return formatOf(format[0]);
  if (typeof format !== "object" || format === null) return null;
  for (const key of ["format", "name", "id"]) {
    const name = text((format as Record<string, unknown>)[key]);
    if (name) return name;
  }
  return null;
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);
const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
