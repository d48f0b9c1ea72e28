/**
 * Speaks the REST and live protocol with made-up traffic, and serves the built console with the real server's
 * Content-Security-Policy: `node dev/fake-server.mjs [--port 8700] [--rate 12] [--empty]`.
 */

import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";
import { makeFinding, makeRow, matcher } from "./traffic.mjs";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "8700" },
    rate: { type: "string", default: "12" },
    epoch: { type: "string", default: randomBytes(4).toString("hex") },
    empty: { type: "boolean", default: false },
  },
});
const web = fileURLToPath(new URL("../../src/vedette/web", import.meta.url));
const rate = flags.empty ? 0 : Number(flags.rate);
const KEPT = 100_000;
const rows = [];
const findings = [];
let nextSeq = 1;

if (!flags.empty) {
  for (let back = 400; back > 0; back--) add(new Date(Date.now() - back * 310));
  for (const severity of [4, 5, 7, 9, 5]) findings.push(makeFinding(findings.length + 1, severity, rows));
}

function add(at = new Date()) {
  rows.push(makeRow(nextSeq++, at));
  if (rows.length > KEPT * 1.2) rows.splice(0, rows.length - KEPT);
}

let owed = 0;
setInterval(() => {
  owed += rate / 20;
  for (; owed >= 1; owed--) add();
  for (const client of clients) client.flush();
}, 50);

const clients = new Set();

class Client {
  constructor(socket) {
    this.socket = socket;
    this.subscriptions = new Map();
    this.say({ type: "hello", epoch: flags.epoch, protocol: 1, version: "0.0.0", server_time: now() });
    socket.on("message", (data) => this.hear(JSON.parse(data)));
    socket.on("close", () => clients.delete(this));
  }

  say(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  hear(frame) {
    const known = this.subscriptions.get(frame.id);
    if (frame.type === "ping") this.say({ type: "pong", nonce: "", server_time: now() });
    if (frame.type === "pause" && known) known.isPaused = true;
    if (frame.type === "resume" && known) known.isPaused = false;
    if (frame.type === "unsubscribe") this.subscriptions.delete(frame.id);
    if (frame.type === "subscribe") this.open(frame);
  }

  open({ id, stream, query, resume, backlog = 0 }) {
    const typo = /\bsevrity\b/.exec(query);
    if (typo) {
      const title = "unknown field `sevrity`, did you mean `severity`?";
      return this.say({ type: "error", id, title, position: typo.index, suggestion: query.replace("sevrity", "severity") });
    }
    const matches = matcher(query);
    if (stream === "metrics" || stream === "status") {
      this.subscriptions.set(id, { stream, matches, from: 0, isPaused: false });
      return this.say({ type: "subscribed", id, stream, query, epoch: flags.epoch, next_seq: 0 });
    }
    let from = stream === "events" ? nextSeq : findings.length + 1;
    const isForeign = resume && resume.epoch !== flags.epoch;
    if (resume && !isForeign) from = resume.seq + 1;
    else if (backlog > 0 && stream === "events") from = rows.filter(matches).at(-backlog)?.["vedette.seq"] ?? rows[0]?.["vedette.seq"] ?? from;
    this.subscriptions.set(id, { stream, matches, from, isPaused: false });
    this.say({ type: "subscribed", id, stream, query, epoch: flags.epoch, next_seq: from });
    if (isForeign) this.say({ type: "gap", id, first_seq: 0, last_seq: from - 1, missed: 0, reason: "epoch-changed" });
    this.flush();
  }

  measure(id, subscription) {
    if (Date.now() - subscription.from < 1_000) return;
    subscription.from = Date.now();
    const rates = { "1s": rate, "10s": rate, "60s": rate };
    const row = { events_per_second: rates, latency_p50_ms: rate ? 38 : null, latency_p99_ms: null, state: "ok" };
    this.say({ type: "batch", id, first_seq: subscription.from, last_seq: subscription.from, rows: [row] });
  }

  flush() {
    for (const [id, subscription] of this.subscriptions) {
      if (subscription.isPaused || subscription.stream === "status") continue;
      if (subscription.stream === "metrics") {
        this.measure(id, subscription);
        continue;
      }
      const isEvents = subscription.stream === "events";
      const until = isEvents ? nextSeq : findings.length + 1;
      if (subscription.from >= until) continue;
      const from = subscription.from;
      const news = isEvents
        ? rows.slice(Math.max(0, from - (rows[0]?.["vedette.seq"] ?? 0))).filter(subscription.matches)
        : findings.filter((finding) => finding.seq >= from);
      subscription.from = until;
      this.say({ type: "batch", id, first_seq: from, last_seq: until - 1, rows: news });
    }
  }
}

const now = () => new Date().toISOString().replace("Z", "000Z");
const at = (ago) => new Date(Date.now() - ago).toISOString();

function api(path, query) {
  if (path === "findings") return { rows: findings.toReversed(), cursor: null };
  if (path === "sources") return { sources: sources() };
  if (path === "health") return health();
  if (path === "events") return { rows: rows.filter(matcher(query.get("query") ?? "")).slice(-Number(query.get("limit") ?? 100)).toReversed(), cursor: null };
  const [, id, context] = /^events\/([^/]+)(\/context)?$/.exec(path) ?? [];
  const index = rows.findIndex((row) => row["event.id"] === id);
  if (index < 0) return null;
  if (!context) return rows[index];
  const file = rows.filter((row) => row["log.file.path"] === rows[index]["log.file.path"]);
  const place = file.indexOf(rows[index]);
  return { rows: file.slice(Math.max(0, place - Number(query.get("before"))), place + Number(query.get("after")) + 1) };
}

function sources() {
  const source = (id, path, share, format, more = {}) => ({
    id, name: "", enabled: true, origin: "given", state: "ok", since: at(60_000), reason: "", remedy: "", config: { paths: [path] }, files: [path], format: { format },
    details: { state: "running", events_per_second: rate * share, lag_bytes: 0, last_line_at: flags.empty ? null : at(300) }, ledger: {}, notes: [], ...more,
  });
  return [
    source("auth.log", "/var/log/auth.log", 0.7, "syslog-rfc3164"),
    source("access.log", "/var/log/nginx/*.log", 0.2, "nginx-combined"),
    source("out.log", "/opt/app/out.log", 0, null, {
      state: "degraded", details: { state: "waiting", events_per_second: 0, lag_bytes: 0, last_line_at: null },
      reason: "/opt/app/out.log cannot be read: permission denied.", remedy: "Let the group adm read it; it is tried again in 30 s.",
    }),
  ];
}

function health() {
  const part = (name, state = "ok", reason = "", remedy = "") => ({ part: name, state, since: at(60000), reason, remedy });
  return {
    state: "degraded",
    parts: [part("pipeline"), part("store"), part("live"), part("source out.log", "degraded", "/opt/app/out.log cannot be read: permission denied.", "Let the group adm read it."), part("disk")],
  };
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://x");
  const path = normalize(decodeURIComponent(url.pathname));
  if (path.startsWith("/api/v1/")) {
    const body = api(url.pathname.slice(8), url.searchParams);
    response.writeHead(body ? 200 : 404, { "Content-Type": body ? "application/json" : "application/problem+json" });
    return response.end(JSON.stringify(body ?? { title: "Not found", detail: "There is no such thing.", status: 404 }));
  }
  const file = join(web, path);
  const isFile = extname(path) !== "" && existsSync(file);
  const nonce = randomBytes(16).toString("base64");
  const page = isFile ? readFileSync(file) : readFileSync(join(web, "index.html"), "utf8").replace("__CSP_NONCE__", nonce);
  response.writeHead(200, {
    "Content-Type": TYPES[isFile ? extname(file) : ".html"] ?? "application/octet-stream",
    "Content-Security-Policy": `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  });
  response.end(page);
});
new WebSocketServer({ server, path: "/api/v1/live" }).on("connection", (socket) => clients.add(new Client(socket)));
server.listen(Number(flags.port), "127.0.0.1", () => console.log(`http://127.0.0.1:${flags.port}`));
