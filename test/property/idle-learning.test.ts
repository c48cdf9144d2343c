// What is learned of servers that close idle connections, and what it is worth: the real core in simulated
// time, against servers that are silent about their limit. Seeds are fixed: each run is the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Msecs, Random } from "../../src/core/clock.ts";
import { IdleSimulation, type Outcome, type Workers } from "../support/idle-simulation.ts";

const silentMsecs = [50, 300, 1_000, 5_000, 60_000, 600_000];

function between(least: Msecs, most: Msecs): (random: Random) => Msecs {
  return (random) => least + random() * (most - least);
}

function workers(isReplayable: boolean, thinkMsecs: Workers["thinkMsecs"]): Workers {
  return { count: 5, requestsEach: 100, isReplayable, thinkMsecs };
}

function assertNone(outcome: Outcome): void {
  assert.deepEqual({ failed: outcome.failed, doubled: outcome.doubled }, { failed: 0, doubled: 0 });
}

for (const limit of silentMsecs) {
  test(`a silent limit of ${limit} ms is learned, and most idle connections are still used`, () => {
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 4 * limit },
      idleTimeoutMsecs: () => limit,
      delayMsecs: 1,
      lagMsecs: 2,
    });
    const outcome = simulation.run(workers(true, between(0, 2 * limit)));
    assertNone(outcome);
    assert.ok(outcome.resent < 5, `${outcome.resent} were sent again`);
    assert.ok(outcome.reused > 0.8 * outcome.requests, `${outcome.reused} reused`);
    const { history, windowMsecs } = simulation.pool.idle;
    const learned = history.learnedMsecs as number;
    assert.equal(history.closing, "steady");
    assert.ok(learned > limit - 5 && learned < limit + 10, `learned ${learned}`);
    assert.ok(windowMsecs > 0.6 * limit && windowMsecs < limit - 2, `uses ${windowMsecs}`);
  });

  test(`around a silent limit of ${limit} ms no request fails that may not be sent twice`, () => {
    for (const seed of [1, 2, 3]) {
      const simulation = new IdleSimulation({
        options: { keepAliveMsecs: 4 * limit },
        idleTimeoutMsecs: () => limit,
        delayMsecs: Math.min(15, limit / 20),
        lagMsecs: Math.min(5, limit / 20),
        seed,
      });
      const think = between(0.8 * limit, 1.05 * limit);
      assertNone(simulation.run({ ...workers(false, think), count: 40, requestsEach: 25 }));
      assertNone(simulation.run({ ...workers(true, think), count: 40, requestsEach: 25 }));
    }
  });
}

test("a hint that the server keeps to is learned from nothing and meets no close", () => {
  for (const isReplayable of [true, false]) {
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 60_000 },
      idleTimeoutMsecs: () => 2_000,
      hintMsecs: 2_000,
      delayMsecs: 15,
      lagMsecs: 5,
    });
    const think = between(1_000, 2_100);
    const outcome = simulation.run({ ...workers(isReplayable, think), count: 40 });
    assertNone(outcome);
    assert.equal(outcome.resent, 0);
    assert.equal(simulation.idleCloses, 0);
    assert.equal(simulation.pool.idle.history.learnedMsecs, null);
  }
});

test("a hint that the server does not keep to is corrected by what is seen", () => {
  const simulation = new IdleSimulation({
    options: { keepAliveMsecs: 60_000 },
    idleTimeoutMsecs: () => 2_000,
    hintMsecs: 10_000,
    delayMsecs: 5,
  });
  simulation.run(workers(true, between(0, 4_000)));
  const { windowMsecs } = simulation.pool.idle;
  assert.ok(windowMsecs > 1_500 && windowMsecs < 1_990, `uses ${windowMsecs}`);
});

for (const share of [0.1, 0.2, 0.5]) {
  test(`of a limit that varies by ${share * 100} % the short end is learned`, () => {
    const limit = 2_000;
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 20_000 },
      idleTimeoutMsecs: (_, random) => limit * (1 - share + 2 * share * random()),
      delayMsecs: 1,
      lagMsecs: 2,
    });
    simulation.run(workers(true, between(0, 4_000)));
    const outcome = simulation.run(workers(true, between(0, 4_000)));
    assertNone(outcome);
    const { history } = simulation.pool.idle;
    assert.equal(history.closing, "steady");
    const learned = history.learnedMsecs as number;
    const shortest = limit * (1 - share);
    assert.ok(learned >= shortest && learned < shortest * 1.3, `learned ${learned}`);
  });
}

test("behind a load balancer the limit of the server that closes first is learned", () => {
  for (const limits of [
    [1_000, 5_000, 60_000],
    [1_000, 5_000, 5_000, 60_000],
  ]) {
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 30_000 },
      idleTimeoutMsecs: (connection) => limits[connection % limits.length] as number,
      delayMsecs: 1,
      lagMsecs: 2,
    });
    simulation.run(workers(true, between(0, 3_000)));
    for (let round = 0; round < 5; round++) {
      assertNone(simulation.run(workers(round % 2 === 0, between(0, 3_000))));
      const learned = simulation.pool.idle.history.learnedMsecs as number;
      assert.ok(learned > 990 && learned < 1_010, `learned ${learned}`);
    }
  }
});

test("of a server that closes at random it is said so, and its connections are used as long as allowed", () => {
  for (const mean of [1_000, 5_000]) {
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 5_000 },
      // As long as it was not closed, the next moment is as good as the first.
      idleTimeoutMsecs: (_, random) => -mean * Math.log(1 - random()),
      delayMsecs: 1,
      lagMsecs: 2,
    });
    const think = between(0, 2_000);
    simulation.run(workers(true, think));
    let erratic = 0;
    let reused = 0;
    for (let round = 0; round < 20; round++) {
      const outcome = simulation.run(workers(true, think));
      assertNone(outcome);
      reused += outcome.reused / outcome.requests / 20;
      if (simulation.pool.idle.history.closing !== "erratic") continue;
      erratic++;
      assert.equal(simulation.pool.idle.windowMsecs, 5_000);
    }
    assert.ok(erratic >= 15, `erratic after ${erratic} of 20 rounds`);
    // What a client reuses that knows nothing: those that the server has not closed by then.
    assert.ok(reused > (mean === 1_000 ? 0.6 : 0.85), `reused ${reused}`);
  }
});

test("a server that changes its limit is followed, up and down", () => {
  let limit = 1_000;
  const simulation = new IdleSimulation({
    options: { keepAliveMsecs: 30_000 },
    idleTimeoutMsecs: () => limit,
    delayMsecs: 1,
    lagMsecs: 2,
  });
  const history = simulation.pool.idle.history;
  const learns = (think: Workers["thinkMsecs"]): void => {
    for (let round = 0; round < 30; round++) {
      assertNone(simulation.run(workers(true, think)));
      if (Math.abs((history.learnedMsecs ?? 0) - limit) < 10) return;
    }
    assert.fail(`learned ${history.learnedMsecs}, not ${limit}`);
  };
  for (const next of [1_000, 8_000, 300, 5_000, 60, 1_000]) {
    limit = next;
    learns(between(0, 3 * next));
  }
});

test("a restart of the server does not shorten the window", () => {
  let restartAt = Number.POSITIVE_INFINITY;
  const simulation = new IdleSimulation({
    options: { keepAliveMsecs: 20_000 },
    idleTimeoutMsecs: (_, __, now) => (now < restartAt ? Math.min(5_000, restartAt - now) : 5_000),
    delayMsecs: 1,
  });
  restartAt = simulation.now + 60_000;
  const think = between(500, 4_000);
  simulation.run({ ...workers(true, think), count: 20 });
  assert.ok(simulation.now > restartAt);
  const learned = simulation.pool.idle.history.learnedMsecs;
  assert.ok(learned === null || learned > 4_900, `learned ${learned}`);
  assert.ok(simulation.pool.idle.windowMsecs > 4_400);
});

test("a restart after a burst, when all idle times are alike, is forgotten soon", () => {
  for (const isReplayable of [true, false]) {
    const deployMsecs = 60_000;
    const simulation = new IdleSimulation({
      idleTimeoutMsecs: (_, __, now) => deployMsecs - (now % deployMsecs),
      delayMsecs: 0.2,
    });
    const outcome = simulation.run({
      ...workers(isReplayable, () => 700),
      count: 20,
      requestsEach: 1_000,
    });
    assert.equal(outcome.doubled, 0);
    const share = outcome.reused / outcome.requests;
    assert.ok(share > (isReplayable ? 0.95 : 0.85), `reused ${share}`);
  }
});

test("where nothing may be sent twice and all places are taken, connections are reused all the same", () => {
  for (const [maxSockets, thinkMsecs] of [
    [1, 200],
    [1, 1_000],
    [1, 3_000],
    [10, 1_000],
  ] as const) {
    const simulation = new IdleSimulation({
      options: { maxSockets },
      idleTimeoutMsecs: () => Number.POSITIVE_INFINITY,
      delayMsecs: 0.2,
    });
    const think = () => thinkMsecs;
    const outcome = simulation.run({
      ...workers(false, think),
      count: maxSockets,
      requestsEach: 200,
    });
    assertNone(outcome);
    assert.ok(simulation.pool.tally.opened < 20, `${simulation.pool.tally.opened} opened`);
  }
});

test("of a server that never closes nothing is learned, and few more sockets are opened than are needed", () => {
  for (const isReplayable of [true, false]) {
    const simulation = new IdleSimulation({
      options: { keepAliveMsecs: 60_000 },
      idleTimeoutMsecs: () => Number.POSITIVE_INFINITY,
      delayMsecs: 15,
    });
    const outcome = simulation.run(workers(isReplayable, between(200, 400)));
    assertNone(outcome);
    assert.equal(simulation.pool.idle.history.closing, "unseen");
    assert.ok(
      simulation.pool.tally.opened <= (isReplayable ? 5 : 20),
      `${simulation.pool.tally.opened} opened`,
    );
  }
});
