/**
 * Log text is written by strangers: what would be invisible, or would reorder or restyle its surroundings, is
 * shown as a sign instead.
 */

/**
 * C0 and C1 controls, soft hyphen and fillers, zero-width and bidirectional controls, line separators, variation
 * selectors but the emoji one, tags, lone surrogates.
 */
const HIDDEN = new RegExp(
  [
    "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e\\u200b\\u200e\\u200f]",
    "[\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb]",
    "\\u034f|\\u17b4|\\u17b5|[\\ufe00-\\ufe0e]",
    "\\udb40[\\udc00-\\udfff]",
    "[\\ud800-\\udbff](?![\\udc00-\\udfff])",
    "(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
  ].join("|"),
  "g",
);

/** Names of U+0000 to U+001F. */
const C0 = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI " +
  "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split(" ");

const NAMES: Readonly<Record<number, string>> = {
  0x007f: "DEL",
  0x061c: "ALM", 0x200e: "LRM", 0x200f: "RLM", 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO",
  0x202e: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI",
};

export interface TextPiece {
  text: string;
  /** What stood here, when the text is a sign for something that cannot be seen. */
  control?: string;
}

/** The sign for one hidden character. */
function sign(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x09) return "→";
  if (code === 0x0a) return "↵";
  const name = C0[code] ?? NAMES[code];
  return name ? `⟦${name}⟧` : `⟦${code.toString(16).toUpperCase().padStart(4, "0")}⟧`;
}

function describe(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** `text` in pieces: plain runs, and signs for hidden characters. Joining the pieces' texts is safe to show. */
export function visiblePieces(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > from) pieces.push({ text: text.slice(from, match.index) });
    pieces.push({ text: sign(match[0]), control: describe(match[0]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** The same as one string, for titles and attributes. */
export function visible(text: string): string {
  return text.replace(HIDDEN, sign);
}

/** At most `limit` characters, never half of a surrogate pair. */
export function clip(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
