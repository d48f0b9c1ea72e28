import { describe, expect, it } from "vitest";
import { dark, light, type Palette } from "./palette";

function luminance(hex: string): number {
  const channels = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const [red = 0, green = 0, blue = 0] = channels;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** WCAG 2.2, contrast ratio. */
function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].toSorted((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const themes: [string, Palette][] = [
  ["dark", dark],
  ["light", light],
];

describe.each(themes)("in the %s theme", (_name, palette) => {
  const grounds = ["bg", "panel", "raise", "accentBg"] as const;
  const inks = ["text", "dim", "faint", "accent", "ok", "s1", "s2", "s3", "s4", "s5"] as const;

  it.each(inks)("%s is readable on every ground (WCAG AA)", (ink) => {
    for (const ground of grounds) {
      expect(contrast(palette[ink], palette[ground]), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("text is readable on highlights and on the accent", () => {
    expect(contrast(palette.text, palette.mark)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.text, palette.proof)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(palette.onAccent, palette.accent)).toBeGreaterThanOrEqual(4.5);
  });
});
