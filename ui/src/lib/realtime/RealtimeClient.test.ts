import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket as NodeSocket, WebSocketServer } from "ws";
import { RealtimeClient, type ConnectionStatus, type Interruption } from "./RealtimeClient";
import type { Network } from "./network";
import type { ClientFrame, ErrorFrame, GapFrame, ServerFrame } from "./protocol";

interface Row {
  "event.id": string;
  "vedette.seq": number;
}

/** A device whose network a test unplugs. */
class Plug implements Network {
  #isIn = true;
  readonly #listeners = new Set<() => void>();

  isOnline(): boolean {
    return this.#isIn;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(isIn: boolean): void {
    this.#isIn = isIn;
    for (const listener of this.#listeners) listener();
  }
}

/** A live server on loopback that records what it is told and says what a test tells it to. */
class Server {
  readonly frames: ClientFrame[] = [];
  readonly #sockets = new Set<NodeSocket>();
  #server: WebSocketServer;
  port = 0;
  isMute = false;
  epoch = "one";

  constructor() {
    this.#server = this.#listen(0);
  }

  #listen(port: number): WebSocketServer {
    const server = new WebSocketServer({ port, host: "127.0.0.1" });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("message", (data: Buffer) => this.#answer(JSON.parse(data.toString()) as ClientFrame));
      this.send({ type: "hello", epoch: this.epoch, protocol: 1, version: "test", server_time: now() });
    });
    return server;
  }

  async ready(): Promise<void> {
    await vi.waitFor(() => expect(this.#server.address()).not.toBeNull());
    this.port = (this.#server.address() as { port: number }).port;
  }

  #answer(frame: ClientFrame): void {
    if (frame.type === "ping") {
      if (!this.isMute) this.send({ type: "pong", nonce: "", server_time: now() });
      return;
    }
    this.frames.push(frame);
  }

  send(frame: ServerFrame): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(frame));
  }

  accept(subscribe: ClientFrame & { type: "subscribe" }, nextSeq: number): void {
    const { id, stream, query } = subscribe;
    this.send({ type: "subscribed", id, stream, query, epoch: this.epoch, next_seq: nextSeq });
  }

  async subscribe(at = 0): Promise<ClientFrame & { type: "subscribe" }> {
    return vi.waitFor(() => {
      const frame = this.frames.filter((each) => each.type === "subscribe")[at];
      if (!frame) throw new Error("no subscription yet");
      return frame;
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.terminate();
    this.#sockets.clear();
    await new Promise((done) => this.#server.close(done));
  }

  async startAgain(): Promise<void> {
    this.#server = this.#listen(this.port);
    await this.ready();
  }
}

const now = () => new Date().toISOString().replace("Z", "000Z");
const row = (seq: number, ingested?: string): Row & Record<string, unknown> => ({
  "event.id": `e${seq}`,
  "vedette.seq": seq,
  "event.ingested": ingested ?? new Date(Date.now() + 60_000).toISOString(),
});

/** Everything one subscriber is told. */
function recorder() {
  const rows: number[] = [];
  const gaps: GapFrame[] = [];
  const interruptions: Interruption[] = [];
  const errors: ErrorFrame[] = [];
  return {
    rows,
    gaps,
    interruptions,
    errors,
    subscriber: {
      onRows: (arrived: Row[]) => void rows.push(...arrived.map((each) => each["vedette.seq"])),
      onGap: (gap: GapFrame) => void gaps.push(gap),
      onInterruption: (interruption: Interruption) => void interruptions.push(interruption),
      onError: (error: ErrorFrame) => void errors.push(error),
    },
  };
}

describe("RealtimeClient", () => {
  let server: Server;
  let client: RealtimeClient;
  let plug: Plug;

  beforeEach(async () => {
    server = new Server();
    await server.ready();
    plug = new Plug();
    client = new RealtimeClient({
      network: plug,
      url: `ws://127.0.0.1:${server.port}/`,
      // ws implements the browser's interface, which its types do not say.
      socket: (url) => new NodeSocket(url) as unknown as WebSocket,
      backoff: { firstMs: 20, factor: 1.5, maxMs: 100 },
      pingEveryMs: 40,
      answerWithinMs: 100,
    });
    client.start();
  });

  afterEach(async () => {
    client.stop();
    await server.stop();
  });

  const isOpen = () => vi.waitFor(() => expect(client.status.state).toBe("open"));

  it("delivers the rows of a subscription in order", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events", query: "severity>=3", backlog: 50 }, seen.subscriber);
    const frame = await server.subscribe();
    expect(frame).toMatchObject({ stream: "events", query: "severity>=3", backlog: 50 });
    server.accept(frame, 1);
    server.send({ type: "batch", id: frame.id, first_seq: 1, last_seq: 2, rows: [row(1), row(2)] });
    server.send({ type: "batch", id: frame.id, first_seq: 3, last_seq: 5, rows: [row(4)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([1, 2, 4]));
  });

  it("resumes behind the last number it was told, and says how long it was away and what was filled in", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events" }, seen.subscriber);
    const frame = await server.subscribe();
    server.accept(frame, 1);
    server.send({ type: "batch", id: frame.id, first_seq: 1, last_seq: 7, rows: [row(3)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([3]));
    const readWhileAway = now();
    await server.stop();
    await vi.waitFor(() => expect(client.status.state).toBe("waiting"));
    await server.startAgain();
    const again = await server.subscribe(1);
    expect(again.resume).toEqual({ epoch: "one", seq: 7 });
    server.accept(again, 8);
    const rows = [row(8, readWhileAway), row(9, readWhileAway)];
    server.send({ type: "batch", id: again.id, first_seq: 8, last_seq: 9, rows });
    server.send({ type: "batch", id: again.id, first_seq: 10, last_seq: 10, rows: [row(10)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([3, 8, 9, 10]));
    expect(seen.interruptions.at(-1)).toMatchObject({ filled: 2 });
    expect(seen.interruptions.at(-1)?.lostForMs).toBeGreaterThan(0);
  });

  it("never tells a row twice, even when the server repeats it", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events" }, seen.subscriber);
    const frame = await server.subscribe();
    server.accept(frame, 1);
    server.send({ type: "batch", id: frame.id, first_seq: 1, last_seq: 2, rows: [row(1), row(2)] });
    server.send({ type: "batch", id: frame.id, first_seq: 2, last_seq: 3, rows: [row(2), row(3)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([1, 2, 3]));
  });

  it("hands on a gap and resumes behind it", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events" }, seen.subscriber);
    const frame = await server.subscribe();
    server.accept(frame, 1);
    server.send({ type: "gap", id: frame.id, missed: 1204, reason: "too-slow", first_seq: 1, last_seq: 1204 });
    await vi.waitFor(() => expect(seen.gaps).toHaveLength(1));
    expect(seen.gaps[0]).toMatchObject({ missed: 1204, reason: "too-slow" });
    await server.stop();
    await server.startAgain();
    expect((await server.subscribe(1)).resume).toEqual({ epoch: "one", seq: 1204 });
  });

  it("takes the numbers of a new epoch as new", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events" }, seen.subscriber);
    const frame = await server.subscribe();
    server.accept(frame, 500);
    server.send({ type: "batch", id: frame.id, first_seq: 500, last_seq: 500, rows: [row(500)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([500]));
    await server.stop();
    server.epoch = "two";
    await server.startAgain();
    const again = await server.subscribe(1);
    expect(again.resume).toEqual({ epoch: "one", seq: 500 });
    server.accept(again, 0);
    server.send({ type: "batch", id: again.id, first_seq: 0, last_seq: 1, rows: [row(1)] });
    await vi.waitFor(() => expect(seen.rows).toEqual([500, 1]));
  });

  it("shares one subscription between subscribers of the same query", async () => {
    const [one, two] = [recorder(), recorder()];
    const first = client.subscribe({ stream: "events", query: "a", backlog: 10 }, one.subscriber);
    const frame = await server.subscribe();
    server.accept(frame, 1);
    server.send({ type: "batch", id: frame.id, first_seq: 1, last_seq: 1, rows: [row(1)] });
    await vi.waitFor(() => expect(one.rows).toEqual([1]));
    const second = client.subscribe({ stream: "events", query: "a", backlog: 10 }, two.subscriber);
    server.send({ type: "batch", id: frame.id, first_seq: 2, last_seq: 2, rows: [row(2)] });
    await vi.waitFor(() => expect(two.rows).toEqual([1, 2]));
    first.close();
    expect(server.frames.filter((each) => each.type === "unsubscribe")).toHaveLength(0);
    second.close();
    await vi.waitFor(() => expect(server.frames.at(-1)).toEqual({ type: "unsubscribe", id: frame.id }));
    expect(server.frames.filter((each) => each.type === "subscribe")).toHaveLength(1);
  });

  it("pauses on the wire only when every subscriber is paused", async () => {
    const one = client.subscribe({ stream: "events" }, recorder().subscriber);
    const two = client.subscribe({ stream: "events" }, recorder().subscriber);
    const frame = await server.subscribe();
    one.pause();
    two.pause();
    two.resume();
    await vi.waitFor(() => expect(server.frames.at(-1)).toEqual({ type: "resume", id: frame.id }));
    expect(server.frames.filter((each) => each.type === "pause")).toHaveLength(1);
  });

  it("hands a refused query to its subscriber with position and suggestion", async () => {
    const seen = recorder();
    client.subscribe({ stream: "events", query: "sevrity>=7" }, seen.subscriber);
    const frame = await server.subscribe();
    const title = "There is no field sevrity.";
    server.send({ type: "error", id: frame.id, title, position: 0, suggestion: "severity>=7" });
    await vi.waitFor(() => expect(seen.errors[0]).toMatchObject({ title, position: 0 }));
    expect(client.status.state).toBe("open");
  });

  it("notices a server that falls silent without closing", async () => {
    await isOpen();
    const told: ConnectionStatus[] = [];
    client.onStatus(() => told.push(client.status));
    server.isMute = true;
    // It connects again within milliseconds: what was told counts, not what it is when somebody looks.
    await vi.waitFor(() => expect(told[0]?.state).toBe("waiting"));
    expect(told[0]?.lostAt).not.toBeNull();
  });

  it("is offline while the device has no network, and returns at once with it", async () => {
    await isOpen();
    plug.set(false);
    expect(client.status).toMatchObject({ state: "offline", retryAt: null });
    plug.set(true);
    await isOpen();
  });

  it("waits longer after each failure, up to a bound, and tries at once when asked", async () => {
    await isOpen();
    await server.stop();
    const waits: number[] = [];
    const stop = client.onStatus(() => {
      const { retryAt } = client.status;
      if (retryAt !== null) waits.push(retryAt - Date.now());
    });
    await vi.waitFor(() => expect(waits.length).toBeGreaterThan(6), { timeout: 5_000 });
    stop();
    expect(Math.max(...waits)).toBeLessThanOrEqual(101);
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
    await server.startAgain();
    client.retryNow();
    await isOpen();
  });
});
