import { createTheme, type CSSVariablesResolver } from "@mantine/core";
import { asVariables, dark, light, type Palette } from "@/lib/theme/palette";

const FONT = '"Inter Variable", system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif';
const MONO = '"JetBrains Mono Variable", ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace';

export const theme = createTheme({
  fontFamily: FONT,
  fontFamilyMonospace: MONO,
  cursorType: "pointer",
  defaultRadius: 7,
  respectReducedMotion: true,
});

/** Mantine's own colours follow the palette. */
export const variables: CSSVariablesResolver = () => ({
  variables: { "--font": FONT, "--mono": MONO },
  dark: scheme(dark),
  light: scheme(light),
});

function scheme(palette: Palette): Record<string, string> {
  return {
    ...asVariables(palette),
    "--mantine-color-body": palette.bg,
    "--mantine-color-text": palette.text,
    "--mantine-color-dimmed": palette.dim,
    "--mantine-color-default": palette.panel,
    "--mantine-color-default-border": palette.line,
    "--mantine-color-default-hover": palette.raise,
    "--mantine-color-blue-filled": palette.accent,
    "--mantine-primary-color-filled": palette.accent,
    "--mantine-primary-color-contrast": palette.onAccent,
  };
}
