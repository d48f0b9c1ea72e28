/** Every colour of the console. Severity is never told by colour alone: a glyph and a number stand beside it. */

export interface Palette {
  bg: string;
  panel: string;
  raise: string;
  line: string;
  text: string;
  dim: string;
  faint: string;
  accent: string;
  accentBg: string;
  onAccent: string;
  s1: string;
  s2: string;
  s3: string;
  s4: string;
  s5: string;
  ok: string;
  mark: string;
  proof: string;
}

export const dark: Palette = {
  bg: "#0e1217",
  panel: "#141920",
  raise: "#1b222b",
  line: "#262f3b",
  text: "#e1e7ee",
  dim: "#98a4b4",
  faint: "#8490a0",
  accent: "#5fabff",
  accentBg: "#15273b",
  onAccent: "#07121f",
  s1: "#8c9cb8",
  s2: "#4fb5a4",
  s3: "#e2b340",
  s4: "#f48a4e",
  s5: "#ff6b74",
  ok: "#55b985",
  mark: "#1f3a57",
  proof: "#4a3d18",
};

export const light: Palette = {
  bg: "#f5f6f8",
  panel: "#ffffff",
  raise: "#f2f4f7",
  line: "#dfe3e9",
  text: "#18202a",
  dim: "#535f6d",
  faint: "#5f6a77",
  accent: "#1463bd",
  accentBg: "#e3eefb",
  onAccent: "#ffffff",
  s1: "#55668a",
  s2: "#13705f",
  s3: "#805a00",
  s4: "#a8450a",
  s5: "#be1e2a",
  ok: "#1c7044",
  mark: "#dbe9f9",
  proof: "#f6e7bd",
};

/** `{ "--bg": "#0e1217", … }` */
export function asVariables(palette: Palette): Record<string, string> {
  return Object.fromEntries(
    Object.entries(palette).map(([name, value]) => [
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      String(value),
    ]),
  );
}
