import { useQuery } from "@tanstack/react-query";
import { get } from "./client";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Health = Schemas["HealthBody"];
export type State = Schemas["HealthState"];
export type WatchedSource = Schemas["SourceView"];

/** A row of the live `metrics` stream, once a second. */
export interface Metrics {
  events_per_second: Record<"1s" | "10s" | "60s", number>;
  latency_p50_ms: number | null;
  latency_p99_ms: number | null;
  state: State;
}

export const HEALTH_KEY = ["health"] as const;

export function useHealth() {
  return useQuery({
    queryKey: HEALTH_KEY,
    queryFn: ({ signal }) => get<Health>("health", {}, signal),
    refetchInterval: 10_000,
  });
}

export function useSources() {
  return useQuery({
    queryKey: ["sources"],
    queryFn: async ({ signal }) => (await get<Schemas["SourceList"]>("sources", {}, signal)).sources,
    refetchInterval: 3_000,
  });
}
