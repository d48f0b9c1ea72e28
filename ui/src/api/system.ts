import { useQuery } from "@tanstack/react-query";
import { get } from "./client";

export type State = "ok" | "degraded" | "down";

export interface PartHealth {
  part: string;
  state: State;
  since: string;
  reason: string;
  remedy: string;
}

export interface Health {
  state: State;
  parts: PartHealth[];
}

export interface Stats {
  events_per_second: number;
  lag_ms: number | null;
  events: number;
}

export interface WatchedSource {
  id: string;
  name: string;
  kind: string;
  state: string;
  paths: string[];
  events_per_second: number;
  format: string | null;
  lag_ms: number | null;
  last_error: string | null;
  last_event_at: string | null;
}

export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => get<Health>("health", {}, signal),
    refetchInterval: 5_000,
  });
}

export function useStats() {
  return useQuery({
    queryKey: ["stats"],
    queryFn: ({ signal }) => get<Stats>("stats", {}, signal),
    refetchInterval: 2_000,
  });
}

export function useSources() {
  return useQuery({
    queryKey: ["sources"],
    queryFn: async ({ signal }) => (await get<{ sources: WatchedSource[] }>("sources", {}, signal)).sources,
    refetchInterval: 3_000,
  });
}
