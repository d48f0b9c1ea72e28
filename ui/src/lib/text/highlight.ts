/** Where captured values stand in a text. */

export interface Capture {
  column: string;
  value: string;
  /** capture: a parsed field; proof: what made a rule fire. */
  kind: "capture" | "proof";
}

export interface Segment {
  text: string;
  capture?: Capture;
}

/** A single character stands everywhere; marking it says nothing. */
const SHORTEST = 2;
const WORD = /[\p{L}\p{N}_]/u;

/**
 * `text` cut into plain and captured runs. Longer values win over shorter ones inside them, proof over capture; a
 * value counts only as a whole word, so that user `ro` is not found in `root`.
 */
export function segments(text: string, captures: readonly Capture[]): Segment[] {
  const taken: { from: number; to: number; capture: Capture }[] = [];
  const order = captures
    .filter((capture) => capture.value.length >= SHORTEST)
    .toSorted((a, b) => Number(b.kind === "proof") - Number(a.kind === "proof") || b.value.length - a.value.length);
  for (const capture of order) {
    for (let from = text.indexOf(capture.value); from >= 0; from = text.indexOf(capture.value, from + 1)) {
      const to = from + capture.value.length;
      if (!isWhole(text, from, to) || taken.some((other) => from < other.to && to > other.from)) continue;
      taken.push({ from, to, capture });
      if (taken.length >= 64) break;
    }
  }
  taken.sort((a, b) => a.from - b.from);
  const out: Segment[] = [];
  let at = 0;
  for (const { from, to, capture } of taken) {
    if (from > at) out.push({ text: text.slice(at, from) });
    out.push({ text: text.slice(from, to), capture });
    at = to;
  }
  if (at < text.length) out.push({ text: text.slice(at) });
  return out;
}

function isWhole(text: string, from: number, to: number): boolean {
  const isWord = (index: number) => WORD.test(text.charAt(index));
  return !(isWord(from) && isWord(from - 1)) && !(isWord(to - 1) && isWord(to));
}
