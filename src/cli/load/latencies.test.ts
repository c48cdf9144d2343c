import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Latencies } from "./latencies.ts";

function latenciesOf(values: readonly number[]): Latencies {
  const latencies = new Latencies();
  for (const value of values) latencies.record(value);
  return latencies;
}

/** Nearest rank of the values themselves. */
function exact(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

test("percentiles are right to half a percent, and the greatest value is exact", () => {
  const value = fc.double({ min: 0.001, max: 4_000_000, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), (values) => {
      const latencies = latenciesOf(values);
      for (const share of [0, 0.1, 0.5, 0.9, 0.99, 1]) {
        const found = latencies.percentile(share) as number;
        const expected = exact(values, share);
        assert.ok(Math.abs(found - expected) <= expected * 0.005 + 0.001, `${found} ${expected}`);
      }
      const most = Math.max(...values);
      assert.ok(Math.abs(Number(latencies.summary().maxMsecs) - most) <= 0.000_6);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("nothing recorded is null, not 0", () => {
  const { count, meanMsecs, p50Msecs, maxMsecs } = new Latencies().summary();
  assert.deepEqual([count, meanMsecs, p50Msecs, maxMsecs], [0, null, null, null]);
});

test("a correction adds what would have been asked meanwhile, and nothing to what was in time", () => {
  assert.equal(latenciesOf([1, 1, 1.9]).corrected(1).count, 3);
  const corrected = latenciesOf([1, 1, 1, 10]).corrected(1);
  // 10 stands for 10, 9, 8 … 1.
  assert.equal(corrected.count, 3 + 10);
  assert.ok(Math.abs(Number(corrected.percentile(0.5)) - 4) < 0.1);
  assert.equal(corrected.summary().maxMsecs, 10);
  assert.equal(latenciesOf([1, 10]).corrected(0).count, 2);
});

test("a curve is the percentiles at equal steps towards the slow ones, and never falls", () => {
  assert.deepEqual(latenciesOf([]).curve(), []);
  assert.deepEqual(latenciesOf([7]).curve(), []);
  const all = latenciesOf(Array.from({ length: 1_000 }, (_, index) => index + 1));
  const curve = all.curve();
  assert.equal(curve.length, 30);
  assert.equal(curve[0], all.percentile(0));
  assert.equal(curve[10], all.percentile(0.9));
  assert.equal(curve[20], all.percentile(0.99));
  assert.deepEqual(
    curve,
    curve.toSorted((a, b) => a - b),
  );
});

test("two distributions together are that of all their values", () => {
  const [some, others] = [
    [1, 2, 3],
    [0.5, 200],
  ];
  const merged = latenciesOf(some);
  merged.merge(latenciesOf(others));
  assert.deepEqual(merged.summary(), latenciesOf([...some, ...others]).summary());
});

test("a correction counts as many as there would be one by one", () => {
  const values = fc.array(fc.double({ min: 0.01, max: 500, noNaN: true }), { maxLength: 20 });
  const interval = fc.double({ min: 0.05, max: 100, noNaN: true });
  fc.assert(
    fc.property(values, interval, (some, each) => {
      const rest = some.flatMap((value) =>
        Array.from(
          { length: Math.max(1, Math.floor(value / each + 1e-9)) },
          (_, k) => value - k * each,
        ),
      );
      const found = latenciesOf(some).corrected(each).count;
      // Cells are half a percent wide, so a long one may stand for some more or less.
      assert.ok(Math.abs(found - rest.length) <= some.length + rest.length * 0.005);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("a stall of an hour at a million a second takes no longer than any other", () => {
  const startedAt = performance.now();
  const corrected = latenciesOf([0.001, 3_600_000]).corrected(0.001);
  assert.ok(corrected.count > 3_500_000_000);
  assert.ok(performance.now() - startedAt < 1_000);
});
