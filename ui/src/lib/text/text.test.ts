import { describe, expect, it } from "vitest";
import { segments, type Capture } from "./highlight";
import { clip, visible, visiblePieces } from "./visible";

const capture = (value: string, column = "user.name"): Capture => ({ column, value, kind: "capture" });
const marked = (text: string, ...captures: Capture[]) =>
  segments(text, captures)
    .filter((segment) => segment.capture)
    .map((segment) => segment.text);

describe("visible", () => {
  it("shows control, bidirectional and zero-width characters as signs", () => {
    expect(visible("a\u001b[31mb\u0000")).toBe("a⟦ESC⟧[31mb⟦NUL⟧");
    expect(visible("\u202egnp.exe")).toBe("⟦RLO⟧gnp.exe");
    expect(visible("pass\u200bword\ufeff")).toBe("pass⟦200B⟧word⟦FEFF⟧");
    expect(visible("\u{e0041}")).toBe("⟦E0041⟧");
  });

  it("leaves ordinary text of any script alone", () => {
    const text = "Größe 日本語 עברית 👩‍🚀 ❤\ufe0f";
    expect(visible(text)).toBe(text);
  });

  it("marks which pieces are signs", () => {
    expect(visiblePieces("a\tb")).toEqual([{ text: "a" }, { text: "→", control: "U+0009" }, { text: "b" }]);
  });

  it("makes lone surrogates visible instead of handing them on", () => {
    expect(visible("\ud800x")).toBe("⟦D800⟧x");
  });
});

describe("clip", () => {
  it("never cuts a character in half", () => {
    expect(clip("ab👩", 3)).toBe("ab");
    expect(clip("abc", 3)).toBe("abc");
  });
});

describe("segments", () => {
  const text = "Failed password for root from 203.0.113.77 port 52144 ssh2";

  it("finds captured values and loses no text", () => {
    expect(marked(text, capture("root"), capture("203.0.113.77", "source.ip"))).toEqual(["root", "203.0.113.77"]);
    expect(
      segments(text, [capture("root")])
        .map((segment) => segment.text)
        .join(""),
    ).toBe(text);
  });

  it("takes whole words only", () => {
    expect(marked(text, capture("ro"), capture("52"))).toEqual([]);
  });

  it("prefers the longer of two overlapping values, and proof to capture", () => {
    expect(marked("GET /login/admin", capture("admin"), capture("/login/admin", "url"))).toEqual(["/login/admin"]);
    const proof: Capture = { column: "event.outcome", value: "Failed", kind: "proof" };
    expect(segments(text, [capture("Failed password"), proof])[0]).toMatchObject({ capture: { kind: "proof" } });
  });

  it("stays quick on a value that stands everywhere", () => {
    expect(segments("ab ".repeat(100_000), [capture("ab")]).length).toBeLessThan(200);
  });
});
