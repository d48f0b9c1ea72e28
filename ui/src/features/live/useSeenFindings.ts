import { useCallback, useState } from "react";

const KEY = "vedette-seen-findings";
const KEPT = 500;

/** Findings this viewer has opened, remembered in this browser. */
export function useSeenFindings(): [ReadonlySet<string>, (id: string) => void] {
  const [seen, setSeen] = useState<ReadonlySet<string>>(read);
  const add = useCallback((id: string) => {
    setSeen((before) => {
      if (before.has(id)) return before;
      const after = [...before, id].slice(-KEPT);
      write(after);
      return new Set(after);
    });
  }, []);
  return [seen, add];
}

function read(): ReadonlySet<string> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return new Set(Array.isArray(stored) ? stored.filter((id) => typeof id === "string") : []);
  } catch {
    return new Set();
  }
}

function write(ids: readonly string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(ids));
  } catch {
    // A browser that keeps nothing forgets at the next visit, which is all that is lost.
  }
}
