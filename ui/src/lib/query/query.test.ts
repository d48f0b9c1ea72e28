import { describe, expect, it } from "vitest";
import { completions } from "./completions";
import { minSeverity, term, withMinSeverity, withTerm } from "./terms";
import { tokenize } from "./tokens";

const kinds = (query: string) =>
  tokenize(query)
    .filter((token) => token.kind !== "space")
    .map((token) => `${token.kind}:${token.text}`);

describe("tokenize", () => {
  it("tells fields, operators, values, words and signs apart", () => {
    expect(kinds('severity>=7 category:authentication -user.name:backup "failed password" (a OR b)')).toEqual([
      "field:severity", "operator:>=", "value:7",
      "field:category", "operator::", "value:authentication",
      "negation:-", "field:user.name", "operator::", "value:backup",
      'quoted:"failed password"',
      "bracket:(", "text:a", "keyword:OR", "text:b", "bracket:)",
    ]);
  });

  it.each(["", "a:", '"open', "((", "x!=1", 'user:"a \\" b"', "\\", "process.name:(sshd OR sudo) x", "日本語:ö -"])(
    "loses no character of %j",
    (query) => {
      expect(tokenize(query).map((token) => token.text).join("")).toBe(query);
    },
  );
});

describe("withTerm", () => {
  it("adds a term once", () => {
    const once = withTerm("severity>=3", "user.name", "root", true);
    expect(once).toBe("severity>=3 user.name:root");
    expect(withTerm(once, "user.name", "root", true)).toBe(once);
  });

  it("turns a term into its opposite", () => {
    expect(withTerm("user.name:root", "user.name", "root", false)).toBe("-user.name:root");
  });

  it("quotes what the grammar would misread", () => {
    expect(term("user.name", 'a "b" \\c')).toBe('user.name:"a \\"b\\" \\\\c"');
    expect(term("source.ip", "2001:db8::1")).toBe('source.ip:"2001:db8::1"');
    expect(term("url.original", "/a*")).toBe('url.original:"/a*"');
    expect(term("user.name", "OR")).toBe('user.name:"OR"');
    expect(term("fields.range", "1..5")).toBe('fields.range:"1..5"');
    expect(term("user.name", "-x")).toBe('user.name:"-x"');
  });

  it("puts alternatives in brackets, so that the new term holds for all of them", () => {
    expect(withTerm("a OR b", "user.name", "root", true)).toBe("(a OR b) user.name:root");
  });
});

describe("severity", () => {
  it("is read from the query and written to it, leaving the rest as it is", () => {
    expect(minSeverity("x severity>=5")).toBe(5);
    expect(minSeverity("(severity>=5 OR y)")).toBe(1);
    expect(withMinSeverity("severity>=5 user.name:(a OR b)", 7)).toBe("severity>=7 user.name:(a OR b)");
    expect(withMinSeverity("severity>=5 x", 1)).toBe("x");
  });
});

describe("completions", () => {
  it("offers fields for the word at the caret, also after a minus, and known values", () => {
    expect(completions("x -use", 6)[0]).toMatchObject({ text: "user.name:", from: 3, to: 6 });
    expect(completions("outcome:f", 9)).toMatchObject([{ text: "outcome:failure" }]);
    expect(completions("", 0)).toEqual([]);
    expect(completions('"use', 4)).toEqual([]);
  });
});
