/**
 * One WebSocket to `/api/v1/live`, shared by every view: it reconnects, resumes each subscription behind the
 * last number it has seen, and tells the subscriber what happened in between.
 */

import { browserNetwork, type Network } from "./network";
import {
  parseFrame,
  type BatchFrame,
  type ClientFrame,
  type ErrorFrame,
  type GapFrame,
  type HelloFrame,
  type ResumePoint,
  type ServerFrame,
  type StatusFrame,
  type StreamName,
  type SubscribedFrame,
} from "./protocol";

/** connecting: first try; open: all well; waiting: lost, will try again; offline: this device has no network. */
export type ConnectionState = "connecting" | "open" | "waiting" | "offline";

export interface ConnectionStatus {
  state: ConnectionState;
  /** When the connection was last lost, milliseconds; null while open. */
  lostAt: number | null;
  /** When the next attempt starts, milliseconds; null while open or trying. */
  retryAt: number | null;
  hello: HelloFrame | null;
}

/** A connection that was lost and came back. Told again, with the same `id`, while the missing rows arrive. */
export interface Interruption {
  id: number;
  lostForMs: number;
  filled: number;
}

export interface Subscriber<Row> {
  /** `isHistory`: they were there before this subscription (or its resumption) began. */
  onRows(rows: Row[], isHistory: boolean): void;
  /** Numbers this subscriber cannot have: the server dropped or no longer keeps them. */
  onGap?(gap: GapFrame): void;
  onInterruption?(interruption: Interruption): void;
  /** The server refused the subscription, usually for its query. It stays refused until subscribed anew. */
  onError?(error: ErrorFrame): void;
  /** The server has accepted the subscription (again). */
  onReady?(): void;
  /** How the subscription stands on the server; while paused, how many rows wait there. */
  onStatus?(status: StatusFrame): void;
}

export interface Subscription {
  pause(): void;
  resume(): void;
  close(): void;
}

export interface RealtimeOptions {
  url: string;
  /** The browser's WebSocket unless a test says otherwise. */
  socket?: (url: string) => WebSocket;
  network?: Network;
  backoff?: { firstMs: number; factor: number; maxMs: number };
  /** 0 to 1, for the jitter. */
  random?: () => number;
  pingEveryMs?: number;
  /** A server that leaves a ping or a connection attempt unanswered for this long is lost. */
  answerWithinMs?: number;
}

interface Channel {
  id: string;
  stream: StreamName;
  query: string;
  backlog: number;
  subscribers: Map<object, { subscriber: Subscriber<never>; isPaused: boolean }>;
  resume: ResumePoint | null;
  isPaused: boolean;
  error: ErrorFrame | null;
  isReady: boolean;
  /** Newest rows, for a subscriber who joins later. */
  recent: unknown[];
  interruption: Interruption | null;
  /** Server time at which the subscription began (again), ISO: rows read before it are history. */
  newsFrom: string;
}

const DEFAULT_BACKOFF = { firstMs: 300, factor: 1.7, maxMs: 8_000 };

export class RealtimeClient {
  readonly #options: Required<RealtimeOptions>;
  readonly #channels = new Map<string, Channel>();
  readonly #listeners = new Set<() => void>();
  #status: ConnectionStatus = { state: "connecting", lostAt: null, retryAt: null, hello: null };
  #socket: WebSocket | null = null;
  #attempts = 0;
  #nextId = 1;
  /** Since when an answer is due; null while none is. */
  #askedAt: number | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #isStopped = true;
  #unwatchNetwork: () => void = () => undefined;

  constructor(options: RealtimeOptions) {
    this.#options = {
      socket: (url) => new WebSocket(url),
      network: browserNetwork,
      backoff: DEFAULT_BACKOFF,
      random: Math.random,
      pingEveryMs: 1_000,
      answerWithinMs: 2_500,
      ...options,
    };
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#unwatchNetwork = this.#options.network.onChange(() => this.#onNetwork());
    this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    this.#unwatchNetwork();
    clearTimeout(this.#retryTimer);
    this.#dropSocket();
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Calls `listener` on each change of `status`; returns how to stop. */
  onStatus(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Try again now instead of when the wait is over. */
  retryNow(): void {
    if (this.#isStopped || this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /**
   * Rows of `stream` that match `query`, beginning with up to `backlog` earlier ones. Subscribers of the same
   * stream and query share one subscription on the wire.
   */
  subscribe<Row>(
    target: { stream: StreamName; query?: string; backlog?: number },
    subscriber: Subscriber<Row>,
  ): Subscription {
    const channel = this.#channelFor(target.stream, target.query ?? "", target.backlog ?? 0);
    const token = {};
    // The stream's name decides the row's shape; the map cannot say so.
    const member = { subscriber: subscriber as unknown as Subscriber<never>, isPaused: false };
    channel.subscribers.set(token, member);
    if (channel.recent.length > 0) {
      const rows = channel.recent as Row[];
      queueMicrotask(() => {
        if (channel.subscribers.has(token)) {
          subscriber.onRows(rows.slice(), true);
        }
      });
    }
    if (channel.error) subscriber.onError?.(channel.error);
    else if (channel.isReady) queueMicrotask(() => subscriber.onReady?.());
    const setPaused = (isPaused: boolean) => {
      member.isPaused = isPaused;
      this.#agreeOnPause(channel);
    };
    return {
      pause: () => setPaused(true),
      resume: () => setPaused(false),
      close: () => this.#leave(channel, token),
    };
  }

  #channelFor(stream: StreamName, query: string, backlog: number): Channel {
    const key = `${stream}\n${query}`;
    let channel = this.#channels.get(key);
    if (!channel) {
      channel = {
        id: `${stream}-${this.#nextId++}`,
        stream,
        query,
        backlog,
        subscribers: new Map(),
        resume: null,
        isPaused: false,
        error: null,
        isReady: false,
        recent: [],
        interruption: null,
        newsFrom: "",
      };
      this.#channels.set(key, channel);
      if (this.#status.state === "open") this.#sendSubscribe(channel);
    }
    return channel;
  }

  #leave(channel: Channel, token: object): void {
    if (!channel.subscribers.delete(token)) return;
    if (channel.subscribers.size > 0) return this.#agreeOnPause(channel);
    this.#channels.delete(`${channel.stream}\n${channel.query}`);
    this.#send({ type: "unsubscribe", id: channel.id });
  }

  /** The wire is paused only while every subscriber is. */
  #agreeOnPause(channel: Channel): void {
    const members = [...channel.subscribers.values()];
    const isPaused = members.length > 0 && members.every((member) => member.isPaused);
    if (isPaused === channel.isPaused) return;
    channel.isPaused = isPaused;
    this.#send({ type: isPaused ? "pause" : "resume", id: channel.id });
  }

  #connect(): void {
    if (this.#isStopped) return;
    if (!this.#options.network.isOnline()) return this.#setStatus({ state: "offline", retryAt: null });
    this.#setStatus({ state: this.#status.lostAt === null ? "connecting" : "waiting", retryAt: null });
    const socket = this.#options.socket(this.#options.url);
    this.#socket = socket;
    // An error is always followed by a close, which says as much.
    socket.onerror = () => undefined;
    this.#askedAt = performance.now();
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (socket !== this.#socket || typeof event.data !== "string") return;
      this.#askedAt = null;
      const frame = parseFrame(event.data);
      if (frame) this.#receive(frame);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    this.#watchdog = setInterval(() => this.#watch(), this.#options.pingEveryMs);
  }

  #watch(): void {
    const now = performance.now();
    if (this.#askedAt !== null && now - this.#askedAt > this.#options.answerWithinMs) return this.#lost();
    if (this.#status.state !== "open") return;
    this.#askedAt ??= now;
    this.#send({ type: "ping" });
  }

  #lost(): void {
    this.#dropSocket();
    if (this.#isStopped) return;
    const { firstMs, factor, maxMs } = this.#options.backoff;
    const ceiling = Math.min(maxMs, firstMs * factor ** this.#attempts);
    const waitMs = ceiling * (0.5 + this.#options.random() / 2);
    this.#attempts += 1;
    const isOffline = !this.#options.network.isOnline();
    this.#setStatus({
      state: isOffline ? "offline" : "waiting",
      lostAt: this.#status.lostAt ?? Date.now(),
      retryAt: isOffline ? null : Date.now() + waitMs,
    });
    if (!isOffline) this.#retryTimer = setTimeout(() => this.#connect(), waitMs);
  }

  #dropSocket(): void {
    clearInterval(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #onNetwork(): void {
    if (this.#options.network.isOnline()) return this.retryNow();
    clearTimeout(this.#retryTimer);
    this.#dropSocket();
    this.#setStatus({ state: "offline", lostAt: this.#status.lostAt ?? Date.now(), retryAt: null });
  }

  #receive(frame: ServerFrame): void {
    switch (frame.type) {
      case "hello":
        return this.#onHello(frame);
      case "subscribed":
        return this.#withChannel(frame.id, (channel) => this.#onSubscribed(channel, frame));
      case "batch":
        return this.#withChannel(frame.id, (channel) => this.#onBatch(channel, frame));
      case "gap":
        return this.#withChannel(frame.id, (channel) => this.#onGap(channel, frame));
      case "error":
        if (frame.id) this.#withChannel(frame.id, (channel) => this.#onError(channel, frame));
        return;
      case "status":
        return this.#withChannel(frame.id, (channel) => {
          for (const { subscriber } of channel.subscribers.values()) subscriber.onStatus?.(frame);
        });
      case "unsubscribed":
      case "pong":
        return;
    }
  }

  #withChannel(id: string, act: (channel: Channel) => void): void {
    for (const channel of this.#channels.values()) if (channel.id === id) return act(channel);
  }

  #onHello(hello: HelloFrame): void {
    const lostAt = this.#status.lostAt;
    this.#attempts = 0;
    this.#setStatus({ state: "open", lostAt: null, retryAt: null, hello });
    for (const channel of this.#channels.values()) {
      if (lostAt !== null && channel.resume) {
        channel.interruption = {
          id: this.#nextId++,
          lostForMs: Date.now() - lostAt,
          filled: 0,
        };
      }
      this.#sendSubscribe(channel);
    }
  }

  #sendSubscribe(channel: Channel): void {
    const { id, stream, query, resume, backlog } = channel;
    channel.isReady = false;
    channel.error = null;
    const start = resume ? { resume } : backlog > 0 ? { backlog } : {};
    this.#send({ type: "subscribe", id, stream, query, ...start });
    if (channel.isPaused) this.#send({ type: "pause", id });
  }

  #onSubscribed(channel: Channel, frame: SubscribedFrame): void {
    channel.resume = { epoch: frame.epoch, seq: frame.next_seq - 1 };
    channel.isReady = true;
    channel.newsFrom = this.#status.hello?.server_time ?? "";
    for (const { subscriber } of channel.subscribers.values()) subscriber.onReady?.();
    this.#tellInterruption(channel);
  }

  #onBatch(channel: Channel, batch: BatchFrame): void {
    const known = channel.resume?.seq ?? -1;
    const rows = batch.rows.filter((row) => seqOf(row) > known);
    channel.resume = { epoch: channel.resume?.epoch ?? "", seq: Math.max(known, batch.last_seq) };
    const first = rows[0];
    if (first === undefined) return;
    this.#remember(channel, rows);
    const isHistory = wasRead(first, channel.newsFrom);
    for (const { subscriber } of channel.subscribers.values()) {
      // The stream's name decides the row's shape.
      subscriber.onRows(rows as never[], isHistory);
    }
    if (!channel.interruption) return;
    const filled = rows.filter((row) => wasRead(row, channel.newsFrom)).length;
    channel.interruption.filled += filled;
    if (filled > 0) this.#tellInterruption(channel);
    if (filled < rows.length) channel.interruption = null;
  }

  #onGap(channel: Channel, gap: GapFrame): void {
    if (channel.resume) channel.resume = { ...channel.resume, seq: Math.max(channel.resume.seq, gap.last_seq) };
    for (const { subscriber } of channel.subscribers.values()) subscriber.onGap?.(gap);
  }

  #onError(channel: Channel, error: ErrorFrame): void {
    channel.error = error;
    for (const { subscriber } of channel.subscribers.values()) subscriber.onError?.(error);
  }

  #tellInterruption(channel: Channel): void {
    if (!channel.interruption) return;
    for (const { subscriber } of channel.subscribers.values()) {
      subscriber.onInterruption?.({ ...channel.interruption });
    }
  }

  #remember(channel: Channel, rows: unknown[]): void {
    if (channel.backlog === 0) return;
    channel.recent = channel.recent.concat(rows).slice(-channel.backlog);
  }

  #send(frame: ClientFrame): void {
    if (this.#status.state === "open") this.#socket?.send(JSON.stringify(frame));
  }

  #setStatus(change: Partial<ConnectionStatus>): void {
    this.#status = { ...this.#status, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** The number of a row; rows without one (findings name it `seq`) count as new. */
function seqOf(row: Record<string, unknown>): number {
  const seq = row["vedette.seq"] ?? row.seq;
  return typeof seq === "number" ? seq : Number.POSITIVE_INFINITY;
}

/** Whether Vedette had read this row before `time` (both ISO, UTC, so that text compares as time does). */
function wasRead(row: Record<string, unknown>, time: string): boolean {
  const ingested = row["event.ingested"];
  return typeof ingested === "string" && ingested < time;
}
