import type { EventRow } from "@/api/rows";

const MEANING: Readonly<Record<string, string>> = {
  parsed: "all fields were read",
  partial: "some of it was read, the rest is kept as text",
  unparsed: "the format is not known: kept raw",
};

const SHORT: Readonly<Record<string, string>> = { partial: "part", unparsed: "raw" };

/** How far the record was understood; quiet while all is well. */
export function ParseStatus({ row }: { row: EventRow }) {
  const status = row["parse.status"] ?? "";
  const marks = row["vedette.marks"] ?? "";
  if (!status) return null;
  const title = [`${status}: ${MEANING[status] ?? ""}`, row["log.format"], marks].filter(Boolean).join(" · ");
  return (
    <span className={`parse-status parse-status--${status}`} title={title}>
      {status === "parsed" ? (
        <>
          <svg viewBox="0 0 12 12" aria-hidden="true">
            <path d="M2.5 6.5 5 9l4.5-6" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinecap="round" />
          </svg>
          <span className="visually-hidden">parsed</span>
        </>
      ) : (
        SHORT[status] ?? status
      )}
    </span>
  );
}
