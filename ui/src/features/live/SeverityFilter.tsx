import { SeverityGlyph } from "@/components/SeverityMark";

const CHOICES = [
  { from: 1, label: "All" },
  { from: 3, label: "3+" },
  { from: 5, label: "5+" },
  { from: 7, label: "7+" },
  { from: 9, label: "9+" },
] as const;

const NAMES: Readonly<Record<number, string>> = {
  1: "every severity",
  3: "low and above",
  5: "medium and above",
  7: "high and above",
  9: "critical only",
};

/** Severity from, at one click. */
export function SeverityFilter({ value, onChange }: { value: number; onChange: (from: number) => void }) {
  return (
    <div className="severity-filter" role="group" aria-label="Severity">
      {CHOICES.map(({ from, label }) => (
        <button
          key={from}
          type="button"
          className="chip"
          aria-pressed={value === from}
          title={NAMES[from]}
          onClick={() => onChange(from)}
        >
          {from > 1 && <SeverityGlyph severity={from} />}
          {label}
        </button>
      ))}
    </div>
  );
}
