import { useEffect, useEffectEvent } from "react";

/** What each key does; absent keys are left to the page. */
export type KeyActions = Readonly<Record<string, () => void>>;

/** Single-key commands of a page; keys pressed while writing, or on a control they belong to, are not ours. */
export function useKeys(actions: KeyActions): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("input, textarea, select, [contenteditable], [role=dialog]")) return;
    if ((event.key === " " || event.key === "Enter") && target?.closest("button, a")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, []);
}
