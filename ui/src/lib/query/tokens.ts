/**
 * The words of a query, for colouring only: what it means and whether it is right, the server says.
 * Grammar: `severity>=7 category:authentication -user.name:"backup job" ("failed password" OR source.ip:10.0.0.0/8)`.
 */

export type TokenKind = "field" | "operator" | "value" | "text" | "quoted" | "keyword" | "negation" | "bracket" | "space";

export interface Token {
  kind: TokenKind;
  text: string;
  from: number;
}

const TERM =
  /(?<space>\s+)|(?<bracket>[()])|(?<keyword>(?:AND|OR|NOT)(?=[\s()]|$))|(?<negation>[-!](?=\S))|(?<field>[A-Za-z_@][\w.@-]*)(?<operator>!=|>=|<=|:|=|>|<)|(?<quoted>"(?:\\.|[^"\\])*"?)|(?<text>(?:\\.|[^\s()"])+)/gy;
const VALUE = /"(?:\\.|[^"\\])*"?|\((?:[^()"]|"(?:\\.|[^"\\])*")*\)|(?:\\.|[^\s()"])+/y;

export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  const add = (kind: TokenKind, text: string, from: number) => {
    tokens.push({ kind, text, from });
  };
  let at = 0;
  while (at < query.length) {
    TERM.lastIndex = at;
    const groups = TERM.exec(query)?.groups;
    if (!groups) {
      add("text", query.slice(at), at);
      break;
    }
    if (groups.field !== undefined && groups.operator !== undefined) {
      add("field", groups.field, at);
      at += groups.field.length;
      add("operator", groups.operator, at);
      at += groups.operator.length;
      VALUE.lastIndex = at;
      const value = VALUE.exec(query)?.[0] ?? "";
      if (value) add("value", value, at);
      at += value.length;
      continue;
    }
    for (const kind of ["space", "bracket", "keyword", "negation", "quoted", "text"] as const) {
      const text = groups[kind];
      if (text === undefined) continue;
      add(kind, text, at);
      at += text.length;
      break;
    }
  }
  return tokens;
}
