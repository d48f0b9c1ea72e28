/** The scale of danger as the console shows it: five bands, each with a name, a colour and a glyph. */

export type Band = 1 | 2 | 3 | 4 | 5;

const NAMES: Readonly<Record<Band, string>> = {
  1: "informational",
  2: "low",
  3: "medium",
  4: "high",
  5: "critical",
};

export const HIGH = 7;
export const CRITICAL = 9;

/** 1-2, 3-4, 5-6, 7-8, 9-10. */
export function bandOf(severity: number): Band {
  return Math.min(5, Math.max(1, Math.ceil(severity / 2))) as Band;
}

export function severityName(severity: number): string {
  return NAMES[bandOf(severity)];
}
