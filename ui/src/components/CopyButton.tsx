import { useState } from "react";

type CopyState = "idle" | "copied" | "failed";

/** Copies what `text()` gives and says so. Works without the clipboard permission, as on plain HTTP. */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [state, copy] = useCopy(text);
  return (
    <button type="button" className="button" onClick={copy} aria-live="polite">
      {state === "copied" ? "Copied" : state === "failed" ? "Not copied" : label}
    </button>
  );
}

/** The same as a small icon beside a value. */
export function CopyIcon({ value }: { value: string }) {
  const [state, copy] = useCopy(() => value);
  const label = state === "copied" ? "Copied" : state === "failed" ? "Not copied" : "Copy value";
  return (
    <button type="button" className="fields__button" onClick={copy} aria-label={label} title={label}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={state === "copied" ? "M2.5 6.5 5 9l4.5-6" : "M4 4h6v6.5H4ZM2 8V1.5h6"} fill="none" stroke="currentColor" />
      </svg>
    </button>
  );
}

function useCopy(text: () => string): [CopyState, () => void] {
  const [state, setState] = useState<CopyState>("idle");
  const copy = async () => {
    setState((await write(text())) ? "copied" : "failed");
    setTimeout(() => setState("idle"), 1_500);
  };
  return [state, () => void copy()];
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeBySelection(text);
  }
}

function writeBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  // Deprecated, and the only way where the page is not a secure context.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
