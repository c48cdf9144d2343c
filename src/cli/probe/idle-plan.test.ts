import assert from "node:assert/strict";
import { test } from "node:test";
import { boundsOf, estimateOf, firstAges, isSteady, nextAges, type Trial } from "./idle-plan.ts";

const mostConnections = 32;

/** Plays the plan against a server that drops connections after `limit`; returns what it finds, and what it took. */
function play(limit: number, maxMsecs: number) {
  const trials: Trial[] = [];
  let elapsed = 0;
  let ages = firstAges(maxMsecs);
  while (ages.length > 0) {
    const round = ages.map((idleMsecs) => ({ idleMsecs, kept: idleMsecs < limit }));
    trials.push(...round);
    // A round is over with the first connection that is lost, or with its longest wait.
    elapsed += round.find((each) => !each.kept)?.idleMsecs ?? (ages.at(-1) as number);
    // Handshakes, and late timers.
    elapsed += maxMsecs / 25;
    const left = mostConnections - trials.length;
    ages = nextAges(boundsOf(trials), maxMsecs - elapsed, left);
  }
  return { estimate: estimateOf(boundsOf(trials)), connections: trials.length, elapsed };
}

test("every limit below the longest time is found to within 10 %, in that time and with few connections", () => {
  for (const maxMsecs of [1_000, 5_000, 90_000, 600_000]) {
    for (let limit = maxMsecs / 250 + 25; limit < maxMsecs; limit *= 1.013) {
      const { estimate, connections, elapsed } = play(limit, maxMsecs);
      const words = `limit ${limit} of ${maxMsecs}: ${estimate}`;
      assert.ok(estimate !== null && Math.abs(estimate / limit - 1) < 0.1, words);
      assert.ok(connections <= mostConnections, `${connections} connections`);
      assert.ok(elapsed <= maxMsecs * 1.1, `${words} took ${elapsed}`);
    }
  }
});

test("a server that keeps connections for longer than is asked has no limit, and no second round", () => {
  const { estimate, connections, elapsed } = play(Number.POSITIVE_INFINITY, 90_000);
  assert.equal(estimate, null);
  assert.equal(connections, firstAges(90_000).length);
  assert.ok(Math.abs(elapsed / 90_000 - 1.04) < 0.001);
});

test("a server that keeps nothing is not asked for ever", () => {
  const { estimate, connections } = play(0, 90_000);
  assert.ok(estimate !== null && estimate < 50);
  assert.ok(connections <= mostConnections);
});

test("servers with different limits behind one name are told apart from one limit", () => {
  const kept = (idleMsecs: number): Trial => ({ idleMsecs, kept: true });
  const lost = (idleMsecs: number): Trial => ({ idleMsecs, kept: false });
  assert.equal(isSteady([kept(10), kept(20), lost(21), lost(40)]), true);
  assert.equal(isSteady([kept(10), lost(20), kept(21), lost(40)]), true);
  assert.equal(isSteady([kept(10), lost(20), kept(40)]), false);
  assert.deepEqual(boundsOf([kept(10), lost(20), kept(40)]), { keptMsecs: 10, lostMsecs: 20 });
});
