// The functions that stand for those of `Math`, against them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { exp, ln, sineOfTurns } from "./arithmetic.ts";
import { type Distribution, samplerOf } from "./distribution.ts";
import { FineHistogram } from "./histogram.ts";
import { randomStream } from "./random.ts";

test("ln, exp and sine are those of Math, to the last few bits", () => {
  const random = randomStream(1, 1);
  for (let index = 0; index < 20_000; index++) {
    const value = random() * 10 ** (index % 12) + 1e-9;
    assert.ok(Math.abs(ln(value) - Math.log(value)) <= 1e-15 * (1 + Math.abs(Math.log(value))));
    const power = (random() - 0.5) * 200;
    assert.ok(Math.abs(exp(power) / Math.exp(power) - 1) < 1e-13, `e^${power}`);
    const turns = (random() - 0.5) * 20;
    assert.ok(Math.abs(sineOfTurns(turns) - Math.sin(turns * 2 * Math.PI)) < 1e-12);
  }
  assert.deepEqual([ln(1), exp(0), exp(-1_000), sineOfTurns(0)], [0, 1, 0, 0]);
});

test("each distribution has the mean that it is described by", () => {
  const given: readonly [distribution: Distribution, mean: number][] = [
    [5, 5],
    [{ kind: "constant", msecs: 3 }, 3],
    [{ kind: "uniform", fromMsecs: 2, toMsecs: 4 }, 3],
    [{ kind: "exponential", meanMsecs: 7 }, 7],
    [{ kind: "lognormal", medianMsecs: 10, sigma: 0.5 }, 10 * Math.exp(0.125)],
    [{ kind: "bimodal", fast: 1, slow: 101, slowShare: 0.1 }, 11],
    [{ kind: "empirical", msecs: [1, 2, 6] }, 3],
  ];
  for (const [distribution, mean] of given) {
    const draw = samplerOf(distribution, "x", "test");
    const random = randomStream(3, 9);
    let sum = 0;
    for (let index = 0; index < 100_000; index++) sum += draw(random);
    assert.ok(Math.abs(sum / 100_000 / mean - 1) < 0.02, `${JSON.stringify(distribution)}: ${sum}`);
  }
});

test("percentiles of any durations are right to within 0.8 %, and sums of histograms are those of all", () => {
  const random = randomStream(5, 1);
  const all = new FineHistogram();
  const parts = [new FineHistogram(), new FineHistogram()];
  const values = Array.from({ length: 20_000 }, (_, index) =>
    index % 10 === 0 ? 0 : exp((random() - 0.3) * 20),
  );
  values.forEach((value, index) => {
    all.record(value);
    parts[index % 2]?.record(value);
  });
  values.sort((a, b) => a - b);
  for (const share of [0, 0.05, 0.3, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.max(Math.ceil(share * values.length), 1) - 1] as number;
    const found = all.percentile(share) as number;
    assert.ok(Math.abs(found - exact) <= 0.008 * exact, `${share}: ${found}, not ${exact}`);
  }
  const sum = new FineHistogram();
  for (const each of parts) sum.add(each);
  const { meanMsecs, ...others } = all.summary;
  const { meanMsecs: meanOfSum, ...othersOfSum } = sum.summary;
  assert.deepEqual(othersOfSum, others);
  assert.ok(Math.abs((meanOfSum as number) / (meanMsecs as number) - 1) < 1e-12);
});
