/**
 * The rows of a live view, outside React: a bounded list that can be held still while new rows wait beside it.
 * Views are told at most once per animation frame.
 */

import type { EventRow } from "@/api/rows";

export type Marker =
  | { kind: "filled"; key: string; lostForMs: number; filled: number }
  | { kind: "missed"; key: string; missed: number; reason: string }
  | { kind: "overflow"; key: string; missed: number };

export type FeedItem = { kind: "event"; key: string; row: EventRow } | Marker;

export interface FeedSnapshot {
  /** Items in view, oldest first. A new array each time it changes. */
  items: readonly FeedItem[];
  /** Events that arrived since the feed was held. */
  waiting: number;
  isHeld: boolean;
  /** Events ever received. */
  received: number;
}

type Schedule = (run: () => void) => void;

export class EventFeed {
  readonly #capacity: number;
  readonly #schedule: Schedule;
  readonly #listeners = new Set<() => void>();
  readonly #holds = new Set<string>();
  #shown: FeedItem[] = [];
  #waiting: FeedItem[] = [];
  #waitingCount = 0;
  #waitingDropped = 0;
  #received = 0;
  #isScheduled = false;
  #hasNewView = false;
  #hasNews = false;
  #snapshot: FeedSnapshot = { items: [], waiting: 0, isHeld: false, received: 0 };

  constructor(capacity = 20_000, schedule: Schedule = (run) => requestAnimationFrame(run)) {
    this.#capacity = capacity;
    this.#schedule = schedule;
  }

  /** `isHistory`: what the view opens with; it is shown even while held, as long as nothing new has come. */
  push(rows: readonly EventRow[], isHistory = false): void {
    this.#received += rows.length;
    this.#hasNews ||= !isHistory;
    const mustWait = this.#holds.size > 0 && this.#hasNews;
    if (mustWait) this.#waitingCount += rows.length;
    this.#add(
      rows.map((row) => ({ kind: "event", key: row["event.id"], row })),
      mustWait,
    );
  }

  /** Put a marker at the newest end, or replace the one with its key. */
  mark(marker: Marker): void {
    for (const list of [this.#shown, this.#waiting]) {
      const at = list.findLastIndex((item) => item.key === marker.key);
      if (at >= 0) {
        list[at] = marker;
        this.#hasNewView = true;
        return this.#touch();
      }
    }
    this.#add([marker], this.#holds.size > 0);
  }

  /** Keep the view still for `reason`; rows wait until every reason is released. */
  hold(reason: string): void {
    if (this.#holds.has(reason)) return;
    this.#holds.add(reason);
    this.#touch();
  }

  release(...reasons: string[]): void {
    if (this.#holds.size === 0) return;
    for (const reason of reasons) this.#holds.delete(reason);
    if (this.#holds.size === 0) this.#flush();
    this.#touch();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): FeedSnapshot => this.#snapshot;

  #add(items: FeedItem[], mustWait: boolean): void {
    const list = mustWait ? this.#waiting : this.#shown;
    for (const item of items) list.push(item);
    // Trimmed in large steps: removing from the front of an array moves all the rest.
    if (list.length > this.#capacity * 1.25) {
      const dropped = list.splice(0, list.length - this.#capacity);
      if (mustWait) this.#waitingDropped += dropped.filter((item) => item.kind === "event").length;
    }
    if (!mustWait) this.#hasNewView = true;
    this.#touch();
  }

  #flush(): void {
    const fits = this.#waitingDropped === 0;
    const room = fits ? this.#capacity : this.#capacity - 1;
    const all = fits ? this.#shown.concat(this.#waiting) : this.#waiting;
    const kept = all.slice(-room);
    if (!fits) {
      const missed = this.#waitingDropped + all.length - kept.length;
      kept.unshift({ kind: "overflow", key: `overflow-${this.#received}`, missed });
    }
    this.#shown = kept;
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#waitingDropped = 0;
    this.#hasNewView = true;
  }

  #touch(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      this.#isScheduled = false;
      this.#snapshot = {
        items: this.#hasNewView ? this.#shown.slice() : this.#snapshot.items,
        waiting: this.#waitingCount,
        isHeld: this.#holds.size > 0,
        received: this.#received,
      };
      this.#hasNewView = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
