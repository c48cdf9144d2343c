// Patient dialing against eager dialing, on the real core under a virtual clock: what patience saves in a burst over TLS,
// where handshakes compete for a processor, and that it costs next to nothing anywhere else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DialOutcome, type DialShape, simulateDials } from "../support/dial-simulation.ts";

const tls = { isTls: true, delayMsecs: 12, handshakeMsecs: 1 } as const;

/** From half of `mean` to half as much again. */
const around = (mean: number) => (random: () => number) => mean * (0.5 + random());

/** So many arrivals, evenly over so many ms. */
const arrivals = (count: number, overMsecs: number) => ({
  kind: "arrivals" as const,
  at: Array.from({ length: count }, (_, index) => (index * overMsecs) / count),
});

/** 400 requests in 100 ms to an origin that nobody has asked before. */
const burst: DialShape = { ...tls, serviceMsecs: around(20), load: arrivals(400, 100) };

const shapes: Readonly<Record<string, DialShape>> = {
  "a single request": { ...tls, serviceMsecs: around(5), load: arrivals(1, 0) },
  "a trickle": { ...tls, serviceMsecs: around(5), load: arrivals(200, 10_000) },
  "a small burst": { ...tls, serviceMsecs: around(5), load: arrivals(50, 10) },
  "a burst at a slow server": { ...tls, serviceMsecs: around(200), load: arrivals(200, 50) },
  "a burst at a warm pool": {
    ...tls,
    warmUp: 5,
    serviceMsecs: around(5),
    load: arrivals(100, 50),
  },
  "long streams among short requests": {
    ...tls,
    warmUp: 5,
    serviceMsecs: (random, index) => (index % 4 === 0 ? 3_000 : around(5)(random)),
    load: arrivals(200, 4_000),
  },
  "a slow server": { ...tls, warmUp: 2, serviceMsecs: around(500), load: arrivals(200, 4_000) },
  "fast and slow requests": {
    ...tls,
    warmUp: 3,
    serviceMsecs: (random) => (random() < 0.1 ? 300 : 4),
    load: arrivals(1_000, 5_000),
  },
  "a burst far away": {
    ...tls,
    delayMsecs: 100,
    serviceMsecs: around(20),
    load: arrivals(400, 100),
  },
  "a load that rises far away": {
    ...tls,
    delayMsecs: 100,
    warmUp: 5,
    serviceMsecs: around(20),
    load: arrivals(400, 2_000),
  },
  "forty loops": {
    ...tls,
    warmUp: 3,
    serviceMsecs: around(5),
    load: { kind: "loops", count: 40, requestsEach: 100 },
  },
  "ten loops at a slow server": {
    ...tls,
    warmUp: 3,
    serviceMsecs: around(100),
    load: { kind: "loops", count: 10, requestsEach: 30 },
  },
};

const options = { maxSockets: 1_000 } as const;
const eager = (shape: DialShape, seed = 1) =>
  simulateDials(shape, { ...options, dialing: "eager" }, seed);
const patient = (shape: DialShape, seed = 1) =>
  simulateDials(shape, { ...options, dialing: "patient" }, seed);

const mean = ({ latencies }: DialOutcome): number =>
  latencies.reduce((sum, each) => sum + each, 0) / latencies.length;
const median = ({ latencies }: DialOutcome): number =>
  latencies[Math.floor(latencies.length / 2)] ?? 0;

test("a cold burst over TLS opens a third of the sockets, and is answered in half the time", () => {
  // Handshakes may take longer than what patience begins with.
  for (const [seed, handshakeMsecs] of [1, 1.2, 1.5, 3].entries()) {
    const shape = { ...burst, handshakeMsecs };
    const [one, other] = [eager(shape, seed), patient(shape, seed)];
    assert.equal(one.opened, 400);
    assert.ok(other.opened <= 200, `${other.opened} sockets`);
    assert.ok(median(other) <= 0.5 * median(one), `${median(other)} against ${median(one)} ms`);
    assert.ok(other.totalMsecs <= 0.7 * one.totalMsecs);
  }
});

for (const [name, shape] of Object.entries(shapes)) {
  test(`patience costs ${name} no more than a twentieth`, () => {
    for (const seed of [1, 2, 3]) {
      const [one, other] = [eager(shape, seed), patient(shape, seed)];
      assert.ok(mean(other) <= 1.05 * mean(one), `${mean(other)} against ${mean(one)} ms`);
      assert.ok(median(other) <= 1.05 * median(one), `${median(other)} against ${median(one)} ms`);
      assert.ok(other.opened <= one.opened);
    }
  });
}

test("over plain TCP every dial is eager", () => {
  for (const shape of Object.values(shapes)) {
    const plain = { ...shape, isTls: false };
    assert.deepEqual(patient(plain), eager(plain));
  }
});
