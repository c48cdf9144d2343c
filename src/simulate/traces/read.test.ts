// Traces that are read once: they are simulated as if read anew, and recordings bring what was around them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advise, readTrace, type Simulation, simulate, type TraceSource } from "../index.ts";

const settings = { maxSockets: 3, maxFreeSockets: 1 };

/** An access log without durations, whose instants and service times are drawn; not in order. */
function log(requests: number): string {
  const lines = Array.from({ length: requests }, (_, index) => {
    const second = String(Math.floor(((index * 7) % requests) / 20) % 60).padStart(2, "0");
    return `10.0.0.1 - - [05/Jan/2026:10:00:${second} +0000] "${index % 3 === 0 ? "POST" : "GET"} /a/${index % 5} HTTP/1.1" 200 5`;
  });
  return lines.join("\n");
}

test("what was read once is simulated as what is read anew, to the byte, also where it is drawn", async () => {
  const source = log(1_000);
  const servers = { serviceMsecs: { kind: "exponential", meanMsecs: 40 } } as const;
  const lanes = { a: {}, default: {} };
  const laneFor = ({ path }: { path: string }): string => (path === "/a/1" ? "a" : "default");
  const services = { s: { origins: "http://origin.test", lanes, laneFor } };
  for (const seed of [1, 7]) {
    const more = { servers, seed, settings: { ...settings, services } };
    const anew = await simulate({ ...more, workload: { kind: "trace", source } });
    const { simulation, requests } = await readTrace(source, { seed });
    assert.equal(requests.count, 1_000);
    for (let again = 0; again < 2; again++) {
      assert.equal(
        JSON.stringify(await simulate({ ...simulation, ...more })),
        JSON.stringify(anew),
      );
    }
  }
});

test("of a long trace the first requests are read, and no more than it takes", async () => {
  let made = 0;
  function* endless(): Generator<string> {
    for (;;) yield `{"at":${made++}}\n`;
  }
  const { requests } = await readTrace(endless(), { mostRequests: 500, sortWindow: 100 });
  assert.deepEqual([requests.count, requests.spanMsecs], [500, 499]);
  assert.ok(made < 700, `${made}`);
});

const recording = [
  '{"format":"keepline-trace","formatVersion":1,"isRecording":true,"settings":{"maxSockets":2,"maxTotalSockets":"Infinity","services":{"api":{"origins":["http://a.test"],"maxFreeSockets":1,"lanes":{"slow":{"maxSockets":1}}}}}}',
  '{"at":1000,"origin":"http://a.test","service":"api","lane":"slow","heldMsecs":60}',
  '{"at":1000,"origin":"http://a.test","service":"api","lane":"slow","heldMsecs":60}',
  '{"at":500,"origin":"http://b.test","heldMsecs":5,"isOver":false,"isReplayable":false}',
  '{"format":"keepline-trace","formatVersion":1,"network":{"roundTripMsecs":20,"origins":{"http://b.test":{"roundTripMsecs":4}}},"servers":{"serviceMsecs":1,"origins":{"http://b.test":{"serviceMsecs":300}}},"ended":"time","requests":3,"leftOut":2}',
];

const text = recording.join("\n");

test("a recording brings its network, servers and settings, wherever they stand in it, and its requests in any order", async () => {
  const report = await simulate({ workload: { kind: "trace", source: text } });
  const latencies = Object.fromEntries(
    report.origins.map(({ origin, latency }) => [origin, latency.maxMsecs]),
  );
  // 20 ms to connect and 60 ms that it was held; then the other one of the lane, on the same connection.
  assert.equal(latencies["http://a.test"], 20 + 60 + 60);
  // When it was recorded it was not over, so it takes as long as this server does.
  assert.equal(latencies["http://b.test"], 4 + 4 + 300);
  assert.deepEqual(
    report.lanes.map(({ service, lane }) => [service, lane]),
    [
      ["default", "default"],
      ["api", "slow"],
    ],
  );
  const { ended, leftOut, requests, simulation } = await readTrace(text);
  assert.deepEqual([ended, leftOut, requests.count], ["time", 2, 3]);
  assert.deepEqual(
    [...requests.services],
    [
      ["default", 1],
      ["api", 2],
    ],
  );
  assert.equal(requests.ofService("api").count, 2);
  assert.equal(simulation.settings?.maxTotalSockets, Number.POSITIVE_INFINITY);
});

test("what a simulation says wins over what was recorded, also of single origins, and single settings replace no others", async () => {
  const given: Simulation = {
    workload: { kind: "trace", source: text },
    network: { roundTripMsecs: 10, connectMsecs: 0 },
    settings: { services: { api: { lanes: { slow: { maxSockets: 2 } } } } },
  };
  const report = await simulate(given);
  const maxOf = (origin: string): number | null | undefined =>
    report.origins.find((each) => each.origin === origin)?.latency.maxMsecs;
  assert.equal(maxOf("http://a.test"), 60, "both at once: the lane has two sockets");
  assert.equal(maxOf("http://b.test"), 310, "the round trip is the given one");
});

test("advice for a recording begins with the settings that were recorded", async () => {
  const head = {
    format: "keepline-trace",
    formatVersion: 1,
    isRecording: true,
    settings: { maxSockets: 20, maxFreeSockets: 2 },
    servers: { origins: { "http://a.test": { hintMsecs: 3_000, idleTimeoutMsecs: 3_000 } } },
  };
  const records = Array.from({ length: 240 }, (_, index) => ({
    at: Math.floor(index / 8) * 1_000,
    origin: "http://a.test",
    heldMsecs: 50,
  }));
  const lines = [head, ...records].map((each) => `${JSON.stringify(each)}\n`);
  const { present, changes, evidence } = await advise({
    workload: { kind: "trace", source: lines },
  });
  assert.deepEqual(present.values, { maxSockets: 20, maxFreeSockets: 2, keepAliveMsecs: 5_000 });
  assert.match(changes.map(({ words }) => words).join("\n"), /^maxFreeSockets 2 → 8: churn 6/m);
  assert.equal(evidence.serverWindowMsecs, 3_000);
});

test("a recording whose parts are of another kind is refused with the line", async () => {
  const [head = "", ...rest] = recording;
  const cases: [TraceSource, RegExp][] = [
    [
      [head.replace(/"settings":.*/, '"settings":7}')],
      /^line 1 of the trace has settings 7: an obj/,
    ],
    [[`${head}\n`, '{"at":0,"isOver":1}'], /^line 2 of the trace has isOver 1: true or false/],
    [[`${head}\n`, '{"at":0,"heldMsecs":-1}'], /^line 2 of the trace has heldMsecs -1/],
    [[`${head}\n`], /the trace is empty/],
    [
      [rest.join("\n").replaceAll('"lane":"slow"', '"lane":"no"')],
      /has a lane that settings do not/,
    ],
  ];
  for (const [source, message] of cases) {
    await assert.rejects(simulate({ workload: { kind: "trace", source } }), { message });
  }
});
