import { describe, expect, it } from "vitest";
import type { EventRow } from "@/api/rows";
import { EventFeed } from "./EventFeed";

const row = (seq: number): EventRow => ({
  "event.id": `e${seq}`,
  "vedette.seq": seq,
  "@timestamp": "2026-11-23T22:00:00.000000Z",
  "event.original": `line ${seq}`,
});
const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => row(from + index));

/** A feed whose animation frames happen when the test says so. */
function feedWithFrames(capacity = 100) {
  const due: (() => void)[] = [];
  const feed = new EventFeed(capacity, (run) => void due.push(run));
  const frame = () => {
    for (const run of due.splice(0)) run();
    return feed.snapshot();
  };
  return { feed, frame, due };
}

const keys = (feed: EventFeed) => feed.snapshot().items.map((item) => item.key);

describe("EventFeed", () => {
  it("tells its views once a frame, however many rows arrive", () => {
    const { feed, frame, due } = feedWithFrames();
    let told = 0;
    feed.subscribe(() => (told += 1));
    for (let seq = 1; seq <= 50; seq++) feed.push([row(seq)]);
    expect(due).toHaveLength(1);
    expect(frame().items).toHaveLength(50);
    expect(told).toBe(1);
  });

  it("keeps the newest rows up to its capacity", () => {
    const { feed, frame } = feedWithFrames(100);
    feed.push(rows(1, 300));
    frame();
    expect(keys(feed)).toHaveLength(100);
    expect(keys(feed).at(-1)).toBe("e300");
  });

  it("does not move while it is held, and counts what waits", () => {
    const { feed, frame } = feedWithFrames();
    feed.push(rows(1, 3));
    const before = frame().items;
    feed.hold("pause");
    feed.push(rows(4, 8));
    const held = frame();
    expect(held.items).toBe(before);
    expect(held).toMatchObject({ waiting: 5, isHeld: true });
    feed.release("pause");
    expect(frame().items).toHaveLength(8);
    expect(feed.snapshot()).toMatchObject({ waiting: 0, isHeld: false });
  });

  it("stays held until every reason is gone", () => {
    const { feed, frame } = feedWithFrames();
    feed.hold("pause");
    feed.hold("scroll");
    feed.push([row(1)]);
    feed.release("scroll");
    expect(frame().items).toHaveLength(0);
    feed.release("pause");
    expect(frame().items).toHaveLength(1);
  });

  it("shows what a view opens with even while it is held", () => {
    const { feed, frame } = feedWithFrames();
    feed.hold("selection");
    feed.push(rows(1, 3), true);
    feed.push(rows(4, 5));
    feed.push(rows(6, 6), true);
    expect(frame()).toMatchObject({ waiting: 3 });
    expect(keys(feed)).toEqual(["e1", "e2", "e3"]);
  });

  it("is bounded while held, and says how many rows it no longer has", () => {
    const { feed, frame } = feedWithFrames(100);
    feed.push(rows(1, 10));
    feed.hold("pause");
    for (let seq = 11; seq <= 1010; seq += 10) feed.push(rows(seq, seq + 9));
    expect(frame().waiting).toBe(1000);
    feed.release("pause");
    const { items } = frame();
    expect(items).toHaveLength(100);
    const kept = items.filter((item) => item.kind === "event").length;
    expect(items[0]).toMatchObject({ kind: "overflow", missed: 1000 - kept });
    expect(items.at(-1)?.key).toBe("e1010");
  });

  it("updates a marker in its place", () => {
    const { feed, frame } = feedWithFrames();
    feed.push([row(1)]);
    feed.mark({ kind: "filled", key: "m", lostForMs: 4000, filled: 0 });
    feed.push([row(2)]);
    feed.mark({ kind: "filled", key: "m", lostForMs: 4000, filled: 312 });
    frame();
    expect(keys(feed)).toEqual(["e1", "m", "e2"]);
    expect(feed.snapshot().items[1]).toMatchObject({ filled: 312 });
  });
});
