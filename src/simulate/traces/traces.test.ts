// Traces in every format, and traces that are none: a clear error with the number of the line, and never a hang.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type SimulationReport, simulate, TraceError, type TraceWorkload } from "../index.ts";

type Given = Omit<TraceWorkload, "kind">;

function run(given: Given, more: object = {}): Promise<SimulationReport> {
  return simulate({
    workload: { kind: "trace", ...given },
    network: { roundTripMsecs: 0, connectMsecs: 0 },
    servers: { serviceMsecs: 5 },
    ...more,
  });
}

async function assertFails(given: Given, message: RegExp, line: number | null): Promise<void> {
  await assert.rejects(run(given), (error: Error) => {
    assert.ok(error instanceof TraceError, String(error.stack));
    assert.equal(error.code, "ERR_KEEPLINE_TRACE");
    assert.match(error.message, message);
    assert.equal(error.line, line);
    if (line !== null) assert.match(error.message, new RegExp(`^line ${line} of the trace `));
    return true;
  });
}

/** `text` in pieces of `size` bytes. */
async function* pieces(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const own = `{"format":"keepline-trace","formatVersion":1}
{"at":0,"origin":"https://a.test","method":"GET","serviceMsecs":10}

{"at":1000,"origin":"https://b.test","method":"POST","serviceMsecs":30}
{"at":3000,"lane":"default"}`;

test("keepline's own lines are read, whatever pieces they come in, and as records", async () => {
  const records = own
    .split("\n")
    .filter((line) => line.includes('"at"'))
    .map((line) => JSON.parse(line));
  const sources: Given["source"][] = [
    own,
    Buffer.from(own),
    [own],
    pieces(own),
    pieces(own.replaceAll("\n", "\r\n"), 1),
    records,
  ];
  for (const source of sources) {
    const report = await run({ source, origin: "http://c.test" });
    assert.deepEqual(
      report.origins.map((each) => [each.origin, each.latency.maxMsecs]),
      [
        ["https://a.test", 10],
        ["https://b.test", 30],
        ["http://c.test", 5],
      ],
    );
    assert.equal(report.simulatedMsecs, 3_005);
  }
});

test("access logs are read as servers write them: time, duration and method", async () => {
  const combined = '"https://example.com/" "Mozilla/5.0 (X11; Linux) \\"quoted\\""';
  const line = (second: string, request: string, rest: string) =>
    `203.0.113.7 - frank [10/Oct/2025:13:55:${second} -0700] "${request}" 200 2326${rest}`;
  const logs: readonly [text: string, maxMsecs: number][] = [
    [line("36", "GET /a HTTP/1.1", ""), 5],
    [line("36", "GET /a HTTP/1.1", ` ${combined}`), 5],
    [line("36", "POST /a HTTP/1.1", ` ${combined} 0.250`), 250],
    [line("36", "GET /a HTTP/1.1", ` ${combined} rt=0.125 "0.124"`), 125],
    [line("36", "GET /a HTTP/1.1", ` ${combined} 48000`), 48],
    [`2001:db8::1 - - [01/Jan/2026:00:00:00 +0000] "\\x16\\x03" 400 - "-" "-" 0.010`, 10],
    [
      '{"time_iso8601":"2026-01-01T00:00:00+00:00","request_method":"GET","request_time":"0.250"}',
      250,
    ],
    ['{"msec":"1767225600.123","request_time":0.25}', 250],
    [
      '{"level":"info","ts":1767225600.5,"request":{"method":"GET","uri":"/x"},"duration":0.07}',
      70,
    ],
    ['{"StartUTC":"2026-01-01T00:00:00Z","Duration":250000000,"RequestMethod":"GET"}', 250],
    ['{"time":1767225600000,"req":{"method":"PUT","url":"/"},"responseTime":12}', 12],
    ['{"timestamp":"2026-01-01T00:00:00.000Z"}', 5],
  ];
  for (const [source, maxMsecs] of logs) {
    const report = await run({ source });
    assert.equal(report.requests, 1, source);
    const found = report.latency.maxMsecs as number;
    assert.ok(Math.abs(found - maxMsecs) < 1e-6, `${found}, not ${maxMsecs}: ${source}`);
  }
  const given = {
    source: '{"time":1767225600000,"took":{"micros":7000}}',
    durationField: "took.micros",
  };
  const report = await run({ ...given, durationUnit: "us" });
  assert.equal(report.latency.maxMsecs, 7);
  // Written at the end, and in order of that: begun in another order.
  const ended = await run({
    source: '{"msec":1767225602,"request_time":2}\n{"msec":1767225602.5,"request_time":0.1}',
  });
  assert.ok(Math.abs(ended.simulatedMsecs - 2_500) < 1e-3);
});

test("a HAR file is read, pretty or in one line, with all of its origins", async () => {
  const entry = (at: string, url: string, wait: number) => ({
    startedDateTime: at,
    time: wait + 30,
    request: { method: "GET", url },
    timings: { blocked: 5, dns: -1, connect: 10, ssl: 5, send: 1, wait, receive: 2 },
  });
  const har = {
    log: {
      version: "1.2",
      entries: [
        entry("2026-01-01T00:00:01.000Z", "https://cdn.test/x.js?v=1", 20),
        entry("2026-01-01T00:00:00.000Z", "https://a.test/", 40),
        entry("2026-01-01T00:00:00.500Z", "data:text/plain,x", 40),
      ],
    },
  };
  for (const source of [
    JSON.stringify(har),
    JSON.stringify(har, null, 2),
    pieces(JSON.stringify(har)),
  ]) {
    const report = await run({ source });
    assert.deepEqual(
      report.origins.map((each) => [each.origin, each.latency.maxMsecs]),
      [
        ["https://a.test", 42],
        ["https://cdn.test", 22],
      ],
    );
  }
  await assertFails(
    { source: JSON.stringify(har).slice(0, -40) },
    /HAR file is no JSON \(was it cut off\?\)/,
    null,
  );
  await assertFails({ source: '{"log":{}}' }, /no log\.entries/, null);
  await assertFails(
    { source: '{"log":{"entries":[{}]}}' },
    /entry 1 of the HAR file has no startedDateTime/,
    null,
  );
});

test("the method of a record says whether it may be sent twice", async () => {
  const network = { roundTripMsecs: 100 };
  const servers = { idleTimeoutMsecs: 1_000, serviceMsecs: 5 };
  // The second one is sent while the server's close is on its way.
  const send = (method: string) =>
    run({ source: [{ at: 0 }, { at: 1_130, method }] }, { network, servers });
  const [get, post] = [await send("GET"), await send("POST")];
  assert.deepEqual([get.metStale, get.resent, get.failed], [1, 1, 0]);
  assert.deepEqual([post.metStale, post.resent, post.failed], [0, 0, 0]);
  assert.equal(post.sockets.opened, 2);
});

test("laneFor chooses lanes by method and path; a lane that is not there is an error with its line", async () => {
  const settings = {
    services: {
      default: {
        lanes: { reports: {}, people: {} },
        laneFor: ({ path }: { path: string }) =>
          path.startsWith("/reports") ? "reports" : "people",
      },
    },
  };
  const source = [
    { at: 0, path: "/reports/1" },
    { at: 1, path: "/" },
    { at: 2, path: "/" },
    { at: 3, lane: "reports" },
  ];
  const { lanes } = await run({ source }, { settings });
  assert.deepEqual(
    lanes.map((each) => [each.lane, each.requests]),
    [
      ["reports", 2],
      ["people", 2],
    ],
  );
  await assertFails(
    { source: '{"at":1}\n{"at":2,"lane":"none"}' },
    /has a lane that settings do not have: .*"none"/,
    2,
  );
});

test("requests in disorder are sorted as far as the window reaches, and beyond it refused with the line", async () => {
  const lines = Array.from({ length: 1_024 }, (_, index) => `{"at":${index ^ 31}}`);
  const report = await run({ source: lines.join("\n"), sortWindow: 64 });
  assert.equal(report.simulatedMsecs, 1_023 + 5);
  const late = [...lines, '{"at":3}'].join("\n");
  await assertFails(
    { source: late, sortWindow: 64 },
    /is \d+ ms earlier than requests that lie 64 before it: sort the trace/,
    1_025,
  );
});

test("what is no trace is refused in words, with the line where there is one", async () => {
  const cases: readonly [source: Given["source"], message: RegExp, line: number | null][] = [
    ["", /the trace is empty/, null],
    ["\n \n\n", /the trace is empty/, null],
    ['{"format":"keepline-trace","formatVersion":1}\n', /the trace is empty/, null],
    [Buffer.from([0x1f, 0x8b, 8, 0]), /compressed by gzip: unpack it first/, null],
    [Buffer.from('{"at":1}\n\0\0\0'), /holds a NUL byte/, 2],
    ['{"at":1}\n{"at":2,"serv', /ends within its JSON object: was it cut off\?/, 2],
    ['{"at":1}\nnonsense', /is no JSON/, 2],
    ['{"at":1}\n[1]', /is an array, and no JSON object/, 2],
    ["hello, world", /is in no known format .*: "hello, world"/, 1],
    ['{"at":1764000000}', /looks like seconds since 1970: milliseconds are needed/, 1],
    ['{"at":1764000000000000}', /looks like microseconds since 1970/, 1],
    ['{"at":1764000000000000000}', /looks like nanoseconds since 1970/, 1],
    ['{"at":-1}', /has at -1: it must be at least 0/, 1],
    ['{"at":"yesterday"}', /has at "yesterday", which is no date/, 1],
    ['{"at":true}', /has at true: a number of milliseconds or a date is needed/, 1],
    ['{"at":1,"serviceMsecs":250000000}', /more than a day: is it in another unit\?/, 1],
    ['{"at":1,"serviceMsecs":"12"}', /has serviceMsecs "12": a number of at least 0 is needed/, 1],
    ['{"at":1,"origin":"a.test"}', /has origin "a\.test"/, 1],
    ['{"format":"keepline-trace","formatVersion":2}', /known is "keepline-trace" 1/, 1],
    ['{"message":"started"}', /has no time: looked for/, 1],
    ['- - - [10/Foo/2025:13:55:36 -0700] "GET /" 200 1', /has the month "Foo"/, 1],
    [`{"at":1}\n{"x":"${"y".repeat(2 << 20)}`, /is longer than 1 MiB/, 2],
  ];
  for (const [source, message, line] of cases) await assertFails({ source }, message, line);
});

test("bad lines are skipped and counted where that is asked for", async () => {
  const source = '{"at":1}\nnonsense\n{"at":2}\n{"at":"x"}\n{"at":3}';
  const report = await run({ source, badLines: "skip" });
  assert.deepEqual([report.requests, report.skippedLines], [3, 2]);
});

test("five gigabytes of anything end soon: at a limit, or where they stop being a trace", async () => {
  const piece = Buffer.alloc(1 << 20, "x");
  let read = 0;
  let isClosed = false;
  const endless = async function* (
    first: string,
    rest: Uint8Array | string,
  ): AsyncGenerator<Uint8Array | string> {
    read = 0;
    try {
      yield first;
      while (read++ < 5_000) yield rest;
    } finally {
      isClosed = true;
    }
  };
  await assertFails({ source: endless('{"at":1}\n', piece) }, /is longer than 1 MiB/, 2);
  assert.ok(read < 5 && isClosed, `read ${read} MB`);
  await assertFails({ source: endless("\0", piece) }, /NUL byte/, 1);
  await assertFails(
    { source: endless('{"log":', " ".repeat(64 << 20)) },
    /larger than 256 MiB/,
    null,
  );
  assert.ok(read < 10);

  const line = `{"at":5,"origin":"https://a.test","serviceMsecs":1}\n`;
  const lines = line.repeat(Math.floor((1 << 20) / line.length));
  const few = { source: endless("", lines), sortWindow: 1_000 };
  const limited = await run(few, { mostRequests: 30_000 });
  assert.deepEqual([limited.ended, limited.requests], ["limited", 30_000]);
  assert.ok(read < 12 && isClosed, `read ${read} MB`);
});

test("a long trace takes no more memory than a short one", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  let most = 0;
  const trace = async function* (count: number): AsyncGenerator<string> {
    for (let at = 0; at < count; at += 1_000) {
      if (at % 50_000 === 0) most = Math.max(most, heap());
      yield Array.from({ length: 1_000 }, (_, index) => `{"at":${at + index}}\n`).join("");
    }
  };
  const sortWindow = 1_000;
  await run({ source: trace(50_000), sortWindow });
  const before = heap();
  most = 0;
  const report = await run({ source: trace(300_000), sortWindow });
  assert.equal(report.succeeded, 300_000);
  assert.ok(most - before < 4e6, `${most - before} bytes more`);
});
