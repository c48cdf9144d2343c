// The simulator against what is known without it: queueing theory, closed forms, and counts that must hold together.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { InvalidOptionError } from "../core/errors.ts";
import { type Simulation, type SimulationReport, simulate } from "./index.ts";

const noWay = { roundTripMsecs: 0, connectMsecs: 0 } as const;

/** Mean wait of M/M/c: `load` is the share of the c servers that is busy. */
function erlangC(c: number, load: number, meanMsecs: number): number {
  let inverse = 1;
  for (let servers = 1; servers <= c; servers++) inverse = 1 + (inverse * servers) / (c * load);
  const blocked = 1 / inverse;
  const waits = blocked / (1 - load * (1 - blocked));
  return (waits * meanMsecs) / (c * (1 - load));
}

function queue(c: number, load: number, requests: number): Simulation {
  return {
    workload: { kind: "poisson", ratePerSecond: 100 * c * load, requests },
    network: noWay,
    servers: { serviceMsecs: { kind: "exponential", meanMsecs: 10 } },
    settings: { maxSockets: c, keepAliveMsecs: Number.POSITIVE_INFINITY },
  };
}

for (const [c, load, requests, tolerance] of [
  [10, 0.7, 1_000_000, 0.02],
  [4, 0.8, 200_000, 0.03],
  [1, 0.5, 200_000, 0.03],
] as const) {
  test(`with ${c} sockets at a load of ${load} ${requests} requests wait as Erlang C says, within ${100 * tolerance} %`, async () => {
    const report = await simulate(queue(c, load, requests));
    const wait = report.queueWait.meanMsecs as number;
    const expected = erlangC(c, load, 10);
    assert.ok(Math.abs(wait / expected - 1) < tolerance, `${wait} ms, not ${expected}`);
    assert.equal(report.succeeded, requests);
    assert.equal(report.sockets.opened, c);
    // Little's law, for the sockets in use.
    const busy = report.sockets.meanOpen - report.sockets.meanIdle;
    assert.ok(Math.abs(busy / (c * load) - 1) < tolerance, `${busy} busy`);
  });
}

test("a socket is reused with the probability 1 - e^(-λT), and idles for (1 - e^(-λT)) / λ", async () => {
  const perMsec = 1 / 1_000;
  for (const keepAliveMsecs of [100, 500, 1_000, 3_000]) {
    const requests = 20_000;
    const report = await simulate({
      workload: { kind: "poisson", ratePerSecond: 1, requests },
      network: noWay,
      servers: { serviceMsecs: 0 },
      settings: { keepAliveMsecs, maxSockets: 1 },
    });
    const expected = 1 - Math.exp(-perMsec * keepAliveMsecs);
    const reuse = report.reuseRatio as number;
    assert.ok(
      Math.abs(reuse - expected) < 0.012,
      `${keepAliveMsecs} ms: ${reuse}, not ${expected}`,
    );
    const idleMsecs = (report.sockets.idleSocketSeconds * 1_000) / requests;
    const idle = expected / perMsec;
    // A timer may be up to a millisecond late.
    assert.ok(Math.abs(idleMsecs / idle - 1) < 0.03, `idle for ${idleMsecs} ms, not ${idle}`);
    const { closedFor, opened } = report.sockets;
    assert.equal(opened, (closedFor["idle-timeout"] ?? 0) + 1);
  }
});

test("the least of keepAliveMsecs and the server's idle timeout holds; the server's, when it is silent, costs resends until it is learned", async () => {
  const base: Simulation = {
    workload: {
      kind: "loop",
      clients: 10,
      thinkMsecs: { kind: "uniform", fromMsecs: 900, toMsecs: 1_020 },
      requests: 5_000,
    },
    network: { roundTripMsecs: 20 },
    settings: { keepAliveMsecs: 10_000, scheduling: "fifo" },
  };
  const silent = await simulate({ ...base, servers: { idleTimeoutMsecs: 1_000 } });
  const hinted = await simulate({
    ...base,
    servers: { idleTimeoutMsecs: 1_000, hintMsecs: 1_000 },
  });
  assert.ok(silent.metStale > 0 && silent.metStale < 50, `${silent.metStale} met a close`);
  assert.deepEqual([silent.failedStale, silent.resent], [0, silent.metStale]);
  assert.equal(hinted.metStale, 0);
  assert.equal(hinted.sockets.closedFor["server-closed"], undefined);
});

test("what may not be sent twice fails on a closed connection when the settings let it meet one", async () => {
  const simulation: Simulation = {
    workload: { kind: "poisson", ratePerSecond: 2, requests: 5_000, replayableShare: 0.5 },
    network: { roundTripMsecs: 100 },
    // Closes at random: nothing can be learned of it.
    servers: { idleTimeoutMsecs: { kind: "exponential", meanMsecs: 500 } },
    settings: { keepAliveMsecs: 10_000, resend: "never" },
  };
  const report = await simulate(simulation);
  assert.ok(report.failedStale > 0);
  assert.equal(report.failedStale, report.metStale);
  assert.deepEqual(report.failedBy, { ERR_KEEPLINE_SOCKET_CLOSED: report.failedStale });
  assert.equal(report.succeeded + report.failed, 5_000);
  const safe = await simulate({ ...simulation, settings: { keepAliveMsecs: 10_000 } });
  assert.ok(safe.resent > 0);
  const allReplayable = { ...simulation.workload, replayableShare: 1 } as const;
  const harmless = await simulate({
    ...simulation,
    workload: allReplayable,
    settings: { keepAliveMsecs: 10_000 },
  });
  assert.deepEqual([harmless.failed, harmless.resent], [0, harmless.metStale]);
});

test("capacity, timeouts, failures and restarts of a server have the effects that they are named for", async () => {
  const workload = { kind: "poisson", ratePerSecond: 100, requests: 5_000 } as const;
  const serviceMsecs = { kind: "exponential", meanMsecs: 10 } as const;
  const plain = await simulate({ workload, servers: { serviceMsecs } });
  const narrow = await simulate({ workload, servers: { serviceMsecs, capacity: 1 } });
  const p50 = (report: SimulationReport) => report.latency.p50Msecs as number;
  assert.ok(p50(narrow) > 2 * p50(plain));
  assert.equal(plain.failed, 0);

  const dials = await simulate({ workload, servers: { serviceMsecs, dialFailureShare: 0.5 } });
  assert.ok(dials.sockets.dialsFailed > 0 && dials.failed > 0);
  assert.deepEqual(Object.keys(dials.failedBy), ["ERR_KEEPLINE_CONNECT"]);

  const breaking = await simulate({
    workload: { ...workload, replayableShare: 0 },
    servers: { serviceMsecs, requestFailureShare: 0.1 },
  });
  assert.ok(Math.abs(breaking.failed / 5_000 - 0.1) < 0.02, `${breaking.failed} fail`);
  assert.equal(breaking.failedStale, 0);

  const restarting = await simulate({
    workload,
    servers: { serviceMsecs, restartEveryMsecs: 1_000 },
  });
  assert.ok(restarting.sockets.opened > plain.sockets.opened + 40);

  const timeouts = await simulate({
    workload,
    servers: { serviceMsecs },
    settings: {
      maxSockets: 1,
      headersTimeoutMsecs: 40,
      requestTimeoutMsecs: 70,
      queueTimeoutMsecs: 50,
    },
  });
  assert.deepEqual(Object.keys(timeouts.failedBy), [
    "ERR_KEEPLINE_HEADERS_TIMEOUT",
    "ERR_KEEPLINE_QUEUE_TIMEOUT",
    "ERR_KEEPLINE_REQUEST_TIMEOUT",
  ]);
  assert.equal(timeouts.succeeded + timeouts.failed, 5_000);
  assert.ok((timeouts.latency.maxMsecs as number) <= 71);

  const last = await simulate({ workload, servers: { serviceMsecs, maxRequests: 10 } });
  assert.ok((last.sockets.closedFor["connection-close"] as number) > 400);
});

test("a busy event loop notices responses and closes late, by no more than the lag", async () => {
  const report = await simulate({
    workload: { kind: "poisson", ratePerSecond: 20, requests: 2_000 },
    network: { roundTripMsecs: 10, lagMsecs: 4 },
    servers: { serviceMsecs: 5, idleTimeoutMsecs: 1_000, restartEveryMsecs: 7_000 },
    settings: { keepAliveMsecs: 60_000 },
  });
  const { p50Msecs, p90Msecs } = report.latency;
  assert.ok((p50Msecs as number) > 16 && (p50Msecs as number) < 18, `p50 ${p50Msecs}`);
  assert.ok((p90Msecs as number) < 29.1, `p90 ${p90Msecs}`);
  assert.ok((report.sockets.closedFor["server-closed"] as number) > 5);
  assert.equal(report.failed, 0);
});

test("lanes have their shares, and a load that can never be served ends the simulation", async () => {
  const simulation: Simulation = {
    workload: [
      { kind: "poisson", ratePerSecond: 500, durationMsecs: 60_000, lane: "batch" },
      { kind: "poisson", ratePerSecond: 50, durationMsecs: 60_000, lane: "people" },
    ],
    servers: { serviceMsecs: 20 },
    settings: {
      maxSockets: 10,
      services: { default: { lanes: { people: { weight: 9 }, batch: { maxPending: 100 } } } },
    },
  };
  const { lanes, ended, failedBy } = await simulate(simulation);
  assert.equal(ended, "complete");
  assert.deepEqual(
    lanes.map((each) => each.lane),
    ["batch", "people"],
  );
  const [batch, people] = lanes;
  assert.ok((people?.queueWait.p99Msecs ?? 0) < (batch?.queueWait.p50Msecs ?? 0) / 5);
  assert.equal(people?.failed, 0);
  assert.deepEqual(failedBy, { ERR_KEEPLINE_QUEUE_FULL: batch?.failed });

  const { settings: _, ...unbounded } = simulation;
  const over = await simulate({
    ...unbounded,
    workload: { kind: "poisson", ratePerSecond: 500, durationMsecs: 60_000 },
    settings: { maxSockets: 1 },
    mostPending: 500,
  });
  assert.equal(over.ended, "overloaded");
  assert.ok(over.simulatedMsecs < 3_000);
});

test("a closed loop has as many requests under way as it has clients, and makes as many as it is told", async () => {
  const report = await simulate({
    workload: {
      kind: "loop",
      clients: 7,
      requests: 10_000,
      thinkMsecs: { kind: "uniform", fromMsecs: 0, toMsecs: 20 },
    },
    servers: { serviceMsecs: 9 },
    settings: { maxSockets: 5 },
  });
  assert.equal(report.succeeded, 10_000);
  assert.equal(report.sockets.mostOpen, 5);
  assert.ok(report.mostPending <= 7);
});

test("bursts and tides come as they are described", async () => {
  const bursts = await simulate({
    workload: {
      kind: "bursts",
      size: 30,
      everyMsecs: 1_000,
      spreadMsecs: 100,
      durationMsecs: 10_000,
    },
    settings: { maxFreeSockets: 4, keepAliveMsecs: 100 },
  });
  assert.equal(bursts.requests, 300);
  assert.equal(
    bursts.series.requests.reduce((sum, each) => sum + each, 0),
    300,
  );

  const tide = await simulate({
    workload: {
      kind: "diurnal",
      ratePerSecond: 200,
      swing: 1,
      periodMsecs: 64_000,
      durationMsecs: 64_000,
    },
    points: 50,
  });
  const { requests } = tide.series;
  const share = (from: number, to: number) =>
    requests.slice(from, to).reduce((sum, each) => sum + each, 0) / tide.requests;
  const quarter = requests.length / 4;
  assert.ok(share(0, quarter) < 0.12, "the rate begins at the bottom");
  assert.ok(share(quarter, 3 * quarter) > 0.76, "and is at its top half a period later");
});

test("a warm-up is not counted, and mostRequests ends a simulation", async () => {
  const workload = { kind: "poisson", ratePerSecond: 100, durationMsecs: 10_000 } as const;
  const whole = await simulate({ workload, settings: { keepAliveMsecs: 60_000 } });
  const later = await simulate({
    workload,
    settings: { keepAliveMsecs: 60_000 },
    warmUpMsecs: 5_000,
  });
  assert.ok(later.requests < 0.6 * whole.requests);
  assert.ok(later.simulatedMsecs < 0.51 * whole.simulatedMsecs);
  assert.ok(later.sockets.opened < whole.sockets.opened);
  assert.ok(Math.abs(later.sockets.meanOpen / whole.sockets.mostOpen - 1) < 0.2);
  const cut = await simulate({ workload, mostRequests: 77 });
  assert.deepEqual([cut.requests, cut.ended], [77, "limited"]);
});

/** Something of everything. */
const varied: Simulation = {
  workload: [
    {
      kind: "diurnal",
      ratePerSecond: 40,
      periodMsecs: 60_000,
      durationMsecs: 120_000,
      replayableShare: 0.7,
    },
    {
      kind: "bursts",
      size: 12,
      everyMsecs: { kind: "exponential", meanMsecs: 2_000 },
      spreadMsecs: 50,
      durationMsecs: 120_000,
      origin: ["https://a.test", "https://b.test"],
      lane: "batch",
      serviceMsecs: { kind: "lognormal", medianMsecs: 30, sigma: 0.8 },
    },
    {
      kind: "loop",
      clients: 3,
      durationMsecs: 120_000,
      thinkMsecs: { kind: "exponential", meanMsecs: 80 },
    },
  ],
  network: { roundTripMsecs: 7, lagMsecs: 2, handshakeMsecs: 1.5 },
  servers: {
    serviceMsecs: {
      kind: "bimodal",
      fast: 3,
      slow: { kind: "empirical", msecs: [90, 120, 400] },
      slowShare: 0.05,
    },
    idleTimeoutMsecs: 3_000,
    capacity: 20,
    maxRequests: 500,
    dialFailureShare: 0.01,
    requestFailureShare: 0.001,
    restartEveryMsecs: 50_000,
    origins: { "https://b.test": { hintMsecs: 3_000 } },
  },
  settings: {
    maxSockets: 8,
    maxFreeSockets: 4,
    dialing: "patient",
    services: { some: { origins: "https://*.test", lanes: { batch: { maxSockets: 4 } } } },
  },
  seed: 7,
};

test("the same seed makes the same report, to the byte and on every version of Node.js; another one another", async () => {
  const text = JSON.stringify(await simulate(varied));
  const hash = createHash("sha256").update(text).digest("hex");
  assert.equal(hash, "70da57484900d625999014e0802ac2d20677c14ae02b8b6e4492a76bb00cfbe0");
  const other = JSON.stringify(await simulate({ ...varied, seed: 8 }));
  assert.notEqual(other, text);
});

test("other settings meet the same requests", async () => {
  const one = await simulate(varied);
  const other = await simulate({ ...varied, settings: { ...varied.settings, maxSockets: 60 } });
  const drawn = (report: SimulationReport) =>
    report.lanes.filter((each) => each.lane === "batch").map((each) => each.requests);
  assert.deepEqual(drawn(one), drawn(other));
});

test("counts hold together whatever goes wrong", async () => {
  const report = await simulate(varied);
  assert.equal(report.requests, report.succeeded + report.failed);
  const { opened, dialsFailed, closedFor, mostOpen } = report.sockets;
  const closed = Object.values(closedFor).reduce((sum, each) => sum + each, 0);
  assert.ok(opened + dialsFailed - closed >= 0 && opened + dialsFailed - closed <= mostOpen);
  for (const key of ["requests", "failed", "resent", "metStale"] as const) {
    const byOrigin = report.origins.reduce((sum, each) => sum + each[key], 0);
    const byLane = report.lanes.reduce((sum, each) => sum + each[key], 0);
    assert.deepEqual([byOrigin, byLane], [report[key], report[key]], key);
  }
  const { series } = report;
  for (const [name, values] of Object.entries(series)) {
    if (Array.isArray(values)) assert.equal(values.length, series.requests.length, name);
  }
  assert.equal(
    series.opened.reduce((sum, each) => sum + each, 0),
    opened,
  );
});

test("settings are checked as those of a client, and everything else as strictly", async () => {
  const workload = { kind: "poisson", ratePerSecond: 1, requests: 1 } as const;
  const refusals: readonly [simulation: object, message: RegExp][] = [
    [
      { workload, settings: { maxSocket: 1 } },
      /simulate\(\) settings: there is no option maxSocket; did you mean maxSockets\?/,
    ],
    [{ workload, settings: { services: { a: { origins: "x" } } } }, /services\.a\.origins must be/],
    [
      { workload: { kind: "poison" } },
      /workload\.kind must be one of .*, not "poison"; did you mean "poisson"\?/,
    ],
    [{ workload: [] }, /workload must be one or more/],
    [
      { workload: [{ ...workload, ratePerSecond: 0 }] },
      /workload\[0\]\.ratePerSecond must be a number above 0, not 0/,
    ],
    [
      { workload: { kind: "poisson", ratePerSecond: 1 } },
      /workload\.requests or workload\.durationMsecs must be given/,
    ],
    [{ workload: { kind: "poisson", requests: 1 } }, /workload\.ratePerSecond must be given/],
    [{ workload: { ...workload, size: 3 } }, /there is no option workload\.size/],
    [{ workload: { ...workload, origin: "a.test" } }, /workload\.origin must be an origin such as/],
    [
      { workload: { ...workload, lane: "none" } },
      /lane must be one of "default" of service default, not "none"/,
    ],
    [
      { workload, network: { roundTripMsecs: -1 } },
      /network\.roundTripMsecs must be .* at least 0, not -1/,
    ],
    [
      { workload, servers: { serviceMsecs: { kind: "lognormal", medianMsecs: 1, sigma: -1 } } },
      /servers\.serviceMsecs must be .* sigma/,
    ],
    [
      { workload, servers: { origins: { "ftp://x": {} } } },
      /a name in servers\.origins must be an origin/,
    ],
    [{ workload, sead: 3 }, /there is no option sead; did you mean seed\?/],
  ];
  for (const [simulation, message] of refusals) {
    await assert.rejects(simulate(simulation as Simulation), (error: Error) => {
      assert.ok(error instanceof InvalidOptionError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("a signal ends a simulation, and progress is told", async () => {
  const stop = new AbortController();
  let told = 0;
  const running = simulate(
    { workload: { kind: "poisson", ratePerSecond: 1_000, requests: 100_000_000 } },
    {
      signal: stop.signal,
      onProgress: (requests, simulatedMsecs) => {
        told++;
        assert.ok(requests > 0 && simulatedMsecs > 0);
        if (told === 2) stop.abort(new Error("enough"));
      },
    },
  );
  await assert.rejects(running, /enough/);
});
