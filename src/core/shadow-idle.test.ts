// The shadow of a pool's idle connections against the plain thing: for every pair of limits a list of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { extent } from "../../test/support/thorough.ts";
import { ShadowCounts, type ShadowGrid, ShadowIdle } from "./shadow-idle.ts";

const grid: ShadowGrid = { sizes: [1, 2, 3, 5, 40], times: [10, 15, 40, 90] };

/** One pair of limits, done as a pool would do it. */
class PlainIdle {
  misses = 0;
  idleMsecs = 0;
  readonly #size: number;
  readonly #time: number;
  since: number[] = [];

  constructor(size: number, time: number) {
    this.#size = size;
    this.#time = time;
  }

  rested(now: number): void {
    this.settle(now);
    this.since.push(now);
    if (this.since.length > this.#size) this.end(0, now);
  }

  wanted(isLifo: boolean, now: number): void {
    this.settle(now);
    if (this.since.length === 0) this.misses++;
    else this.end(isLifo ? this.since.length - 1 : 0, now);
  }

  end(index: number, now: number): void {
    const [since = now] = this.since.splice(index, 1);
    this.idleMsecs += Math.min(now - since, this.#time);
  }

  settle(now: number): void {
    while (this.since.length > 0 && now - (this.since[0] ?? now) >= this.#time) this.end(0, now);
  }
}

function pairs<V>(make: (size: number, time: number) => V): V[] {
  return grid.sizes.flatMap((size) => grid.times.map((time) => make(size, time)));
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom("rested", "wanted", "passes", "passes", "ended", "closed"),
    fc.integer({ min: 1, max: 60 }),
  ),
  { maxLength: 200 },
);

test("every pair of limits has the misses and the idle time of a pool that has these limits", () => {
  const plays = (isLifo: boolean, limitMsecs: number, drawn: [string, number][]): void => {
    const counts = new ShadowCounts(grid);
    const shadow = new ShadowIdle(grid, counts);
    shadow.limitMsecs = limitMsecs;
    const plain = pairs((size, time) => new PlainIdle(size, Math.min(time, limitMsecs)));
    let now = 1_000;
    for (const [kind, number] of drawn) {
      if (kind === "passes") now += number;
      else if (kind === "rested") {
        // Of the same instant only one can be told from the others.
        now += 0.5;
        shadow.rested(now);
        for (const each of plain) each.rested(now);
      } else if (kind === "wanted") {
        shadow.wanted(isLifo, now);
        for (const each of plain) each.wanted(isLifo, now);
      } else {
        // One that the widest pair still has, as the pool itself has no other.
        for (const each of plain) each.settle(now);
        shadow.settle(now);
        const { since } = plain.at(-1) as PlainIdle;
        const chosen = since[number % Math.max(since.length, 1)];
        if (chosen === undefined) continue;
        shadow.ended(chosen, kind === "closed", now);
        for (const each of plain) {
          const index = each.since.indexOf(chosen);
          if (index === -1) continue;
          if (kind === "closed") for (let left = index; left >= 0; left--) each.end(0, now);
          else each.end(index, now);
        }
      }
    }
    shadow.settle(now);
    for (const each of plain) each.settle(now);
    assert.deepEqual(
      [...counts.misses],
      plain.map((each) => each.misses),
    );
    for (const [index, { idleMsecs }] of plain.entries()) {
      assert(Math.abs(counts.idleMsecsOf(index) - idleMsecs) < 1e-6, `pair ${index}`);
    }
    assert.equal(shadow.count, plain.at(-1)?.since.length);
  };
  const limit = fc.constantFrom(Number.POSITIVE_INFINITY, 30, 5, 0);
  fc.assert(fc.property(fc.boolean(), limit, steps, plays), {
    numRuns: extent(500, 5_000),
    seed: 1,
  });
});

test("what was seen fades, all of it alike", () => {
  const counts = new ShadowCounts(grid);
  const shadow = new ShadowIdle(grid, counts);
  shadow.wanted(true, 0);
  shadow.rested(0);
  shadow.wanted(true, 8);
  counts.fade(0.25);
  assert.deepEqual(
    [...counts.misses],
    pairs(() => 0.25),
  );
  assert.deepEqual(
    pairs(() => 2),
    [...counts.misses.keys()].map((pair) => counts.idleMsecsOf(pair)),
  );
});
