import { useMantineColorScheme, type MantineColorScheme } from "@mantine/core";

const CHOICES: readonly { value: MantineColorScheme; path: string; label: string }[] = [
  { value: "dark", path: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5Z", label: "Dark" },
  {
    value: "light",
    path: "M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
    label: "Light",
  },
  { value: "auto", path: "M2 3h12v8H2ZM5.5 14h5M8 11v3", label: "Like the system" },
];

export function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <div className="theme-switch" role="group" aria-label="Theme">
      {CHOICES.map(({ value, path, label }) => (
        <button
          key={value}
          type="button"
          aria-label={label}
          title={label}
          aria-pressed={colorScheme === value}
          onClick={() => setColorScheme(value)}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d={path} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" />
          </svg>
        </button>
      ))}
    </div>
  );
}
