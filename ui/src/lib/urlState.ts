import { useCallback } from "react";
import { useSearchParams } from "wouter";

/** One value kept in the page's address, so that a link reproduces the view. `fallback` is left out of it. */
export function useUrlState(name: string, fallback = ""): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) => {
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (value === fallback) after.delete(name);
          else after.set(name, value);
          return after;
        },
        { replace: true },
      );
    },
    [setParams, name, fallback],
  );
  return [params.get(name) ?? fallback, set];
}
