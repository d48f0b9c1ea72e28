/** Edits of a query that the console makes for a person: filter in, filter out, severity from. */

import { tokenize, type Token } from "./tokens";

export type Scalar = string | number | boolean;

const BARE = /^[A-Za-z0-9_./@-]+$/;

/** One term that holds exactly for events with this value. */
export function term(field: string, value: Scalar): string {
  const text = String(value);
  const isBare = BARE.test(text) && !text.includes("..") && !text.startsWith("-") && !/^(?:AND|OR|NOT)$/.test(text);
  return `${field}:${isBare ? text : `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`}`;
}

/** `query` narrowed to events that have (or do not have) this value. The opposite term, if there, is replaced. */
export function withTerm(query: string, field: string, value: Scalar, isIn: boolean): string {
  const positive = term(field, value);
  const wanted = isIn ? positive : `-${positive}`;
  const others = topTerms(query).filter((text) => text !== positive && text !== `-${positive}`);
  const isAlternative = tokenize(query).some((token) => token.kind === "keyword" && token.text === "OR");
  if (isAlternative) return `(${query.trim()}) ${wanted}`;
  return [...others, wanted].join(" ");
}

const SEVERITY = /^(?:severity|sev|event\.severity)>=(\d+)$/;

/** The lowest severity `query` asks for; 1 when it does not say. */
export function minSeverity(query: string): number {
  for (const text of topTerms(query)) {
    const found = SEVERITY.exec(text)?.[1];
    if (found !== undefined) return Number(found);
  }
  return 1;
}

export function withMinSeverity(query: string, severity: number): string {
  const others = topTerms(query).filter((text) => !SEVERITY.test(text));
  return (severity > 1 ? [`severity>=${severity}`, ...others] : others).join(" ");
}

/** The terms at the top level, as written; a bracket with its content is one term. */
function topTerms(query: string): string[] {
  const terms: string[] = [];
  let current = "";
  let depth = 0;
  for (const token of tokenize(query)) {
    depth += depthChange(token);
    if (token.kind === "space" && depth === 0) {
      if (current) terms.push(current);
      current = "";
    } else {
      current += token.text;
    }
  }
  if (current) terms.push(current);
  return terms;
}

function depthChange(token: Token): number {
  if (token.kind !== "bracket") return 0;
  return token.text === "(" ? 1 : -1;
}
