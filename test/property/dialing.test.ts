// Patient dialing against eager dialing, on the real core under a virtual clock: what patience saves in a burst over TLS,
// where handshakes compete for a processor, and that it costs next to nothing anywhere else.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Distribution,
  type Simulation,
  type SimulationReport,
  simulate,
  type Workload,
} from "../../src/simulate/index.ts";

/** A server and what comes to it. */
interface Shape {
  readonly serviceMsecs: Distribution;
  readonly workload: Workload;
  /** Requests made, one after another, before all that is measured. */
  readonly warmUp?: number;
  /** The way there and back: 24 ms when not given. */
  readonly roundTripMsecs?: number;
  /** What a TLS handshake takes of the processor: 1 ms when not given. */
  readonly handshakeMsecs?: number;
}

const origin = "https://simulated.test";
/** What is measured begins then; sockets that the warm-up has left are still there. */
const measuredFrom = 10_000;

/** From half of `mean` to half as much again. */
const around = (mean: number): Distribution => ({
  kind: "uniform",
  fromMsecs: mean / 2,
  toMsecs: mean * 1.5,
});

/** So many arrivals, evenly over so many ms. */
const arrivals = (count: number, overMsecs: number): Workload => ({
  kind: "bursts",
  size: 1,
  everyMsecs: count === 1 ? 1 : overMsecs / count,
  requests: count,
  origin,
  startsAfterMsecs: measuredFrom,
});

/** Closed loops, each of so many requests with no pause between. */
const loops = (clients: number, requestsEach: number): Workload => ({
  kind: "loop",
  clients,
  requests: clients * requestsEach,
  origin,
  startsAfterMsecs: measuredFrom,
});

/** 400 requests in 100 ms to an origin that nobody has asked before. */
const burst: Shape = { serviceMsecs: around(1), workload: arrivals(400, 100) };

const shapes: Readonly<Record<string, Shape>> = {
  "a single request": { serviceMsecs: around(5), workload: arrivals(1, 0) },
  "a trickle": { serviceMsecs: around(5), workload: arrivals(200, 10_000) },
  "a small burst": { serviceMsecs: around(5), workload: arrivals(50, 10) },
  "a burst at a slow server": { serviceMsecs: around(200), workload: arrivals(200, 50) },
  "a burst at a warm pool": { warmUp: 5, serviceMsecs: around(5), workload: arrivals(100, 50) },
  "long streams among short requests": {
    warmUp: 5,
    serviceMsecs: 5,
    workload: {
      kind: "trace",
      origin,
      // The first one is where the time of the trace begins.
      source: [
        { at: 0 },
        ...Array.from({ length: 200 }, (_, index) => ({
          at: measuredFrom + index * 20,
          serviceMsecs: index % 4 === 0 ? 3_000 : 2.5 + (index % 11) / 2,
        })),
      ],
    },
  },
  "a slow server": { warmUp: 2, serviceMsecs: around(500), workload: arrivals(200, 4_000) },
  "fast and slow requests": {
    warmUp: 3,
    serviceMsecs: { kind: "bimodal", fast: 4, slow: 300, slowShare: 0.1 },
    workload: arrivals(1_000, 5_000),
  },
  "a burst far away": {
    roundTripMsecs: 200,
    serviceMsecs: around(20),
    workload: arrivals(400, 100),
  },
  "a load that rises far away": {
    roundTripMsecs: 200,
    warmUp: 5,
    serviceMsecs: around(20),
    workload: arrivals(400, 2_000),
  },
  "forty loops": { warmUp: 3, serviceMsecs: around(5), workload: loops(40, 100) },
  "ten loops at a slow server": { warmUp: 3, serviceMsecs: around(100), workload: loops(10, 30) },
};

function meet(shape: Shape, dialing: "eager" | "patient", seed: number): Promise<SimulationReport> {
  const { serviceMsecs, workload, warmUp = 0, roundTripMsecs = 24, handshakeMsecs = 1 } = shape;
  const before: Workload[] =
    warmUp === 0 ? [] : [{ kind: "loop", clients: 1, requests: warmUp, origin }];
  const simulation: Simulation = {
    workload: [...before, workload],
    network: { roundTripMsecs, handshakeMsecs },
    servers: { serviceMsecs },
    settings: { maxSockets: 1_000, maxFreeSockets: 1_000, keepAliveMsecs: 60_000, dialing },
    warmUpMsecs: measuredFrom,
    seed,
  };
  return simulate(simulation);
}

const eager = (shape: Shape, seed = 1) => meet(shape, "eager", seed);
const patient = (shape: Shape, seed = 1) => meet(shape, "patient", seed);
const mean = ({ latency }: SimulationReport): number => latency.meanMsecs as number;
const median = ({ latency }: SimulationReport): number => latency.p50Msecs as number;

test("a cold burst over TLS opens a third of the sockets, and is answered in half the time", async () => {
  // Handshakes may take longer than what patience begins with.
  for (const [seed, handshakeMsecs] of [1, 1.2, 1.5, 3].entries()) {
    const shape = { ...burst, handshakeMsecs };
    const [one, other] = [await eager(shape, seed), await patient(shape, seed)];
    assert.equal(one.sockets.opened, 400);
    assert.ok(other.sockets.opened <= 200, `${other.sockets.opened} sockets`);
    assert.ok(median(other) <= 0.5 * median(one), `${median(other)} against ${median(one)} ms`);
    assert.ok(other.simulatedMsecs <= 0.7 * one.simulatedMsecs);
  }
});

for (const [name, shape] of Object.entries(shapes)) {
  test(`patience costs ${name} no more than a twentieth`, async () => {
    const opened = { eager: 0, patient: 0 };
    for (const seed of [1, 2, 3]) {
      const [one, other] = [await eager(shape, seed), await patient(shape, seed)];
      assert.ok(mean(other) <= 1.05 * mean(one), `${mean(other)} against ${mean(one)} ms`);
      assert.ok(median(other) <= 1.05 * median(one), `${median(other)} against ${median(one)} ms`);
      opened.eager += one.sockets.opened;
      opened.patient += other.sockets.opened;
    }
    assert.ok(opened.patient <= 1.05 * opened.eager, JSON.stringify(opened));
  });
}

test("over plain TCP every dial is eager", async () => {
  for (const shape of Object.values(shapes)) {
    const workload = { ...shape.workload, origin: "http://simulated.test" } as Workload;
    const plain = { ...shape, workload, warmUp: 0 };
    assert.deepEqual(await patient(plain), await eager(plain));
  }
});
