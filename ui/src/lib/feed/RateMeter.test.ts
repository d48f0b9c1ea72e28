import { expect, it } from "vitest";
import { RateMeter } from "./RateMeter";

it("averages over the last five whole seconds and forgets after a minute", () => {
  const meter = new RateMeter();
  for (let second = 0; second < 10; second++) meter.add([1, 5, 9], second * 1000 + 100);
  expect(meter.rate(10_000)).toBe(3);
  expect(meter.rate(12_000)).toBeCloseTo(9 / 5);
  expect(meter.minute(10_000).at(-1)?.bands).toEqual([1, 0, 1, 0, 1]);
  const young = new RateMeter();
  young.add([1, 1, 1, 1], 1_500);
  expect(young.rate(2_000)).toBe(4);
  meter.add([1], 200_000);
  expect(meter.minute(200_000).every(({ bands }) => bands.every((value) => value === 0))).toBe(true);
});
