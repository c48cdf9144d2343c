import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { Histogram, Histograms } from "./histogram.ts";

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

/** From 1 µs to 17 minutes, and zeros. */
const duration = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 1, noNaN: true }).map((x) => 1e-3 * 1e9 ** x),
);

/** `one` says what `other` says, but for the rounding of sums. */
function assertAlike(one: Histogram, other: Histogram): void {
  const { mean, ...exact } = one.summary();
  const { mean: expected, ...whole } = other.summary();
  assert.deepEqual(exact, whole);
  assert.ok(Math.abs((mean ?? 0) - (expected ?? 0)) <= 1e-9 * (expected ?? 0));
  for (let doubling = 0; doubling <= 32; doubling++) {
    assert.equal(one.countBelow(doubling), other.countBelow(doubling));
  }
}

test("a sum of histograms is what one would be that was told everything", () => {
  const durations = fc.array(duration, { maxLength: 30 });
  fc.assert(
    fc.property(durations, durations, (some, others) => {
      const [one, other, all] = [new Histogram(), new Histogram(), new Histogram()];
      for (const msecs of some) one.record(msecs);
      for (const msecs of others) other.record(msecs);
      for (const msecs of [...some, ...others]) all.record(msecs);
      one.add(other);
      assertAlike(one, all);
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

test("several side by side are what as many would be that are apart", () => {
  const size = 3;
  const values = fc.array(fc.tuple(fc.nat(size - 1), duration), { maxLength: 40 });
  fc.assert(
    fc.property(values, values, (some, others) => {
      const [together, further] = [new Histograms(size), new Histograms(size)];
      const apart = Array.from({ length: size }, () => new Histogram());
      for (const [which, msecs] of some) together.record(which, msecs);
      for (const [which, msecs] of others) further.record(which, msecs);
      together.addAll(further);
      for (const [which, msecs] of [...some, ...others]) apart[which]?.record(msecs);
      for (const [which, each] of apart.entries()) {
        assertAlike(new Histogram(together, which), each);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("what was cleared is empty, and counts again", () => {
  const all = new Histograms(2);
  all.record(1, 5);
  all.record(0, 9_000);
  all.clearDurations();
  assert.deepEqual(new Histogram(all, 1).summary(), new Histogram().summary());
  all.record(1, 4);
  assert.deepEqual(
    [0, 1].map((which) => new Histogram(all, which).sum),
    [0, 4],
  );
});
