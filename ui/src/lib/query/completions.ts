/** Field names and common values for the word at the caret. */

export interface Completion {
  /** Replaces `from`..`to` of the query. */
  text: string;
  from: number;
  to: number;
  meaning: string;
}

const FIELDS: readonly (readonly [name: string, meaning: string])[] = [
  ["severity>=", "danger, 1-10"],
  ["category:", "authentication, network, web …"],
  ["action:", "what was done"],
  ["outcome:", "success, failure, unknown"],
  ["user.name:", "user it speaks of"],
  ["source.ip:", "address of the peer, or a network"],
  ["source.port:", "port of the peer"],
  ["host.name:", "host that wrote it"],
  ["process.name:", "program that wrote it"],
  ["process.pid:", "process id"],
  ["message:", "words in the message"],
  ["level:", "error, warning, info …"],
  ["format:", "format it was parsed with"],
  ["parse:", "parsed, partial, unparsed"],
  ["path:", "file it was read from"],
  ["source:", "source it was read from"],
  ["status:", "HTTP status"],
  ["url:", "requested URL"],
  ["destination.ip:", "address it went to"],
  ["command_line:", "command line"],
];

const VALUES: Readonly<Record<string, readonly string[]>> = {
  category: ["authentication", "network", "web", "process", "iam", "configuration", "database", "session", "host"],
  outcome: ["success", "failure", "unknown"],
  parse: ["parsed", "partial", "unparsed"],
  level: ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"],
};

const LIMIT = 8;

export function completions(query: string, caret: number): Completion[] {
  const word = /[^\s()]*$/.exec(query.slice(0, caret))?.[0] ?? "";
  const typed = word.startsWith("-") ? word.slice(1) : word;
  if (typed === "" || typed.startsWith('"')) return [];
  const from = caret - typed.length;
  const [field = "", value] = typed.split(/:(.*)/s);
  if (value !== undefined) {
    const known = VALUES[field.replace(/^event\./, "").replace(/^log\.level$/, "level")] ?? [];
    return known
      .filter((each) => each.startsWith(value) && each !== value)
      .slice(0, LIMIT)
      .map((each) => ({ text: `${field}:${each}`, from, to: caret, meaning: "" }));
  }
  const lower = typed.toLowerCase();
  return FIELDS.filter(([name]) => name.includes(lower) && name !== lower)
    .toSorted(([a], [b]) => Number(b.startsWith(lower)) - Number(a.startsWith(lower)))
    .slice(0, LIMIT)
    .map(([name, meaning]) => ({ text: name, from, to: caret, meaning }));
}
