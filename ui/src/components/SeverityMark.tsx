import "./SeverityMark.css";
import { bandOf, severityName, type Band } from "@/lib/severity";

/** ○ ◔ ◑ ◕ ●, drawn, so that they look alike everywhere. */
const FILL: Readonly<Record<Band, string | null>> = {
  1: null,
  2: "M6 6V1a5 5 0 0 1 5 5Z",
  3: "M6 1a5 5 0 0 1 0 10Z",
  4: "M6 6H1a5 5 0 1 0 5-5Z",
  5: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1Z",
};

export function SeverityGlyph({ severity }: { severity: number }) {
  const band = bandOf(severity);
  const fill = FILL[band];
  return (
    <svg className={`severity-glyph severity-${band}`} viewBox="0 0 12 12" aria-hidden="true">
      <circle cx="6" cy="6" r="4.75" fill="none" stroke="currentColor" strokeWidth="1.3" />
      {fill && <path d={fill} fill="currentColor" />}
    </svg>
  );
}

/** Glyph and number; the name too when asked, and always for those who listen. */
export function SeverityMark({ severity, named = false }: { severity: number | undefined; named?: boolean }) {
  if (severity === undefined) return <span className="severity severity-none" />;
  const name = severityName(severity);
  return (
    <span className={`severity severity-${bandOf(severity)}`} title={`severity ${severity}, ${name}`}>
      <SeverityGlyph severity={severity} />
      <span className="severity-number">{severity}</span>
      <span className={named ? "severity-name" : "visually-hidden"}> {name}</span>
    </span>
  );
}
