/** The frames of `/api/v1/live`: JSON text, each with a `type`. */

export type StreamName = "events" | "findings" | "status" | "metrics";

export interface ResumePoint {
  epoch: string;
  /** The last number this client has. */
  seq: number;
}

export type ClientFrame =
  | { type: "subscribe"; id: string; stream: StreamName; query: string; resume?: ResumePoint; backlog?: number }
  | { type: "unsubscribe"; id: string }
  | { type: "pause"; id: string }
  | { type: "resume"; id: string }
  | { type: "ping" };

export interface HelloFrame {
  type: "hello";
  epoch: string;
  protocol: number;
  server_time: string;
  version: string;
}

export interface SubscribedFrame {
  type: "subscribed";
  id: string;
  stream: StreamName;
  query: string;
  epoch: string;
  /** The first range told will begin here. */
  next_seq: number;
}

/** The matching rows among first_seq..last_seq, in order. */
export interface BatchFrame {
  type: "batch";
  id: string;
  first_seq: number;
  last_seq: number;
  rows: Record<string, unknown>[];
}

export type GapReason = "too-slow" | "too-old" | "deleted" | "epoch-changed" | "unavailable";

/** The numbers first_seq..last_seq will not come; how many of them would have matched is not known. */
export interface GapFrame {
  type: "gap";
  id: string;
  first_seq: number;
  last_seq: number;
  missed: number;
  reason: GapReason;
}

/** How a subscription stands; `waiting` counts matching rows since it was paused. */
export interface StatusFrame {
  type: "status";
  id: string;
  state: "live" | "paused";
  waiting: number;
}

/** A message was refused; the connection stays. */
export interface ErrorFrame {
  type: "error";
  id?: string | null;
  title: string;
  field?: string | null;
  /** 0-based index into the query. */
  position?: number | null;
  suggestion?: string | null;
}

export type ServerFrame =
  | HelloFrame
  | SubscribedFrame
  | { type: "unsubscribed"; id: string }
  | BatchFrame
  | GapFrame
  | StatusFrame
  | ErrorFrame
  | { type: "pong"; nonce: string; server_time: string };

/** The frame in `text`, or null when it is not one (a newer server may say more than we know). */
export function parseFrame(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    if (typeof frame !== "object" || frame === null || !("type" in frame)) return null;
    return typeof frame.type === "string" ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
