import { describe, expect, it } from "vitest";
import { bytes, milliseconds, plural, rate } from "./numbers";
import { age, rowTime, shortSpan, utcTime } from "./time";

describe("times", () => {
  const now = new Date(2026, 10, 23, 22, 4, 17);
  const local = (...parts: [number, number, number, number, number, number, number]) => new Date(...parts).toISOString();

  it("carry milliseconds today, the day before today, the year before this year", () => {
    expect(rowTime(local(2026, 10, 23, 9, 5, 7, 40), now)).toBe("09:05:07.040");
    expect(rowTime(local(2026, 10, 21, 9, 5, 7, 40), now)).toBe("Nov 21 09:05:07");
    expect(rowTime(local(2024, 11, 10, 6, 55, 46, 0), now)).toBe("2024-12-10 06:55");
  });

  it("stay as they are when they are none", () => {
    expect(rowTime("yesterday", now)).toBe("yesterday");
  });

  it("are exact in UTC", () => {
    expect(utcTime("2026-11-23T21:04:17.482915Z")).toBe("2026-11-23 21:04:17.482915 UTC");
  });

  it("are short as a span", () => {
    expect([4_000, 65_000, 3_700_000, 90_000_000].map(shortSpan)).toEqual(["4 s", "1 min", "1 h", "1 d"]);
    expect(age("2026-11-23T21:04:17Z", Date.parse("2026-11-23T21:04:19Z"))).toBe("now");
  });
});

describe("numbers", () => {
  it("are grouped, and keep a digit while small", () => {
    expect([0, 0.8, 9.97, 4812.3].map(rate)).toEqual(["0", "0.8", "10", "4,812"]);
    expect([plural(1, "event"), plural(1204, "event")]).toEqual(["1 event", "1,204 events"]);
    expect([38.4, 1234].map(milliseconds)).toEqual(["38 ms", "1.2 s"]);
    expect([512, 3_565_158].map(bytes)).toEqual(["512 B", "3.4 MiB"]);
  });
});
