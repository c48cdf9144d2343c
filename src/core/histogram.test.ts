import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { Histogram } from "./histogram.ts";

test("an empty histogram knows nothing but its count", () => {
  const empty = { count: 0, mean: null, p50: null, p90: null, p99: null, max: null };
  assert.deepEqual(new Histogram().summary(), empty);
  assert.equal(new Histogram().percentile(0.5), null);
});

test("count, mean and max are exact", () => {
  const histogram = new Histogram();
  for (const msecs of [0.25, 4, 4, 100, 1.75]) histogram.record(msecs);
  const { count, mean, max } = histogram.summary();
  assert.deepEqual({ count, mean, max }, { count: 5, mean: 22, max: 100 });
});

test("a percentile is right to within 6 %, from 8 µs to an hour", () => {
  const durations = fc.array(
    fc.double({ min: 0, max: 1, noNaN: true }).map((share) => 0.008 * (3_600_000 / 0.008) ** share),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(durations, fc.constantFrom(0, 0.01, 0.5, 0.9, 0.99, 1), (values, share) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      const sorted = [...values].sort((a, b) => a - b);
      const exact = sorted[Math.max(Math.ceil(share * values.length), 1) - 1] as number;
      const told = histogram.percentile(share) as number;
      assert.ok(Math.abs(told - exact) <= 0.06 * exact, `${told} for ${exact}`);
      assert.ok(told <= histogram.max);
    }),
    { numRuns: 5_000 },
  );
});

test("below 8 µs a percentile is right to within 1 µs", () => {
  for (let micros = 0; micros <= 8; micros += 0.125) {
    const histogram = new Histogram();
    histogram.record(micros / 1_000);
    histogram.record(1); // else the maximum would tell
    const told = histogram.percentile(0.5) as number;
    assert.ok(Math.abs(told - micros / 1_000) <= 0.0011, `${told * 1_000} for ${micros} µs`);
  }
});

test("zeros that were counted elsewhere count as if they had been recorded", () => {
  const values = [0, 0.5, 3, 40];
  const apart = new Histogram();
  const together = new Histogram();
  for (const value of values) {
    apart.record(value);
    together.record(value);
  }
  for (let zeros = 1; zeros < 12; zeros++) {
    together.record(0);
    assert.deepEqual(apart.summary(zeros), together.summary());
  }
  assert.deepEqual(new Histogram().summary(2), {
    count: 2,
    mean: 0,
    p50: 0,
    p90: 0,
    p99: 0,
    max: 0,
  });
});

test("durations beyond an hour count in the last bucket, and the maximum stays exact", () => {
  const histogram = new Histogram();
  histogram.record(1e12);
  histogram.record(1e9);
  assert.equal(histogram.max, 1e12);
  assert.ok((histogram.percentile(0.5) as number) > 4_000_000);
});

test("a sum of histograms is what one would be that was told everything", () => {
  const durations = fc.array(
    fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 1, noNaN: true }).map((x) => 1e-3 * 1e9 ** x),
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(durations, durations, (some, others) => {
      const [one, other, all] = [new Histogram(), new Histogram(), new Histogram()];
      for (const msecs of some) one.record(msecs);
      for (const msecs of others) other.record(msecs);
      for (const msecs of [...some, ...others]) all.record(msecs);
      one.add(other);
      const { mean, ...exact } = one.summary();
      const { mean: expected, ...whole } = all.summary();
      assert.deepEqual(exact, whole);
      assert.ok(Math.abs((mean ?? 0) - (expected ?? 0)) <= 1e-9 * (expected ?? 0));
      for (let doubling = 0; doubling <= 32; doubling++) {
        assert.equal(one.countBelow(doubling), all.countBelow(doubling));
      }
    }),
    { numRuns: 500 },
  );
});

test("how many values are below a power of two is exact", () => {
  const values = [0, 0.5, 1.024, 3, 4.096, 4.0959, 70, 1_000, 5_000_000];
  const histogram = new Histogram();
  for (const msecs of values) histogram.record(msecs);
  for (let doubling = 0; doubling < 32; doubling++) {
    const expected = values.filter(
      (msecs) => Math.floor(msecs * 1_000 + 1e-6) < 2 ** doubling,
    ).length;
    assert.equal(histogram.countBelow(doubling), expected, `below ${2 ** doubling} µs`);
  }
});

test("however many others were recorded meanwhile, whoever asks is told of all that was recorded", () => {
  const asked: [string, (histogram: Histogram) => number | null, number][] = [
    ["count", ({ count }) => count, 3],
    ["sum", ({ sum }) => sum, 7],
    ["max", ({ max }) => max, 4],
    ["countBelow", (histogram) => histogram.countBelow(30), 3],
    ["percentile", (histogram) => Math.round(histogram.percentile(1) ?? 0), 4],
    ["summary", (histogram) => histogram.summary().mean, 7 / 3],
  ];
  for (const others of [0, 1, 252, 253, 254, 255, 1_000]) {
    for (const [what, ask, expected] of asked) {
      const other = new Histogram();
      const histogram = new Histogram();
      for (const msecs of [1, 2]) histogram.record(msecs);
      for (let index = 0; index < others; index++) other.record(index);
      histogram.record(4);
      assert.equal(ask(histogram), expected, `${what} among ${others} others`);
      const sum = new Histogram();
      sum.record(5);
      other.record(7);
      sum.add(other);
      assert.equal(sum.count, others + 2);
    }
  }
});
