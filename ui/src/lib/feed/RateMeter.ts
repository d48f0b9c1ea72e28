import { bandOf } from "@/lib/severity";

/** Events a second by severity band, over the last minute. */
export interface SecondCounts {
  /** Index 0 is informational, 4 critical. */
  bands: readonly [number, number, number, number, number];
}

type Bands = [number, number, number, number, number];

const SECONDS = 60;
const RATE_OVER = 5;

export class RateMeter {
  readonly #seconds = new Map<number, Bands>();
  #first: number | null = null;

  /** Counts events that arrive at `now` (milliseconds). */
  add(severities: Iterable<number>, now: number): void {
    const second = Math.floor(now / 1000);
    this.#first ??= second;
    const bands = this.#seconds.get(second) ?? [0, 0, 0, 0, 0];
    for (const severity of severities) {
      const index = (bandOf(severity) - 1) as 0 | 1 | 2 | 3 | 4;
      bands[index] += 1;
    }
    this.#seconds.set(second, bands);
    for (const old of this.#seconds.keys()) if (old < second - SECONDS) this.#seconds.delete(old);
  }

  /** The last 60 whole seconds before `now`, oldest first. */
  minute(now: number): SecondCounts[] {
    const current = Math.floor(now / 1000);
    return Array.from({ length: SECONDS }, (_, index) => ({
      bands: this.#seconds.get(current - SECONDS + index) ?? [0, 0, 0, 0, 0],
    }));
  }

  /** Events a second, averaged over the last five whole seconds, or over less when less has been seen. */
  rate(now: number): number {
    const current = Math.floor(now / 1000);
    const over = Math.min(RATE_OVER, current - (this.#first ?? current));
    if (over <= 0) return 0;
    let sum = 0;
    for (let second = current - over; second < current; second++) {
      for (const value of this.#seconds.get(second) ?? []) sum += value;
    }
    return sum / over;
  }
}
