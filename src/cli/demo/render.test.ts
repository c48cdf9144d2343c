import assert from "node:assert/strict";
import { test } from "node:test";
import { type Looks, widthOf } from "../text.ts";
import {
  renderBursts,
  renderManyRequests,
  renderQueue,
  renderStart,
  renderTwoRequests,
} from "./render.ts";
import type { Bursts, ManyRequests, OneRequest, Queue, Run, TwoRequests } from "./report.ts";

const looks: Looks = { width: 80, paint: (_, text) => text };

const first: OneRequest = {
  statusCode: 200,
  clientPort: 60_001,
  dnsMsecs: 1,
  connectMsecs: 1,
  tlsMsecs: 1_234,
  firstByteMsecs: 2,
  totalMsecs: 1_238,
};
const second: OneRequest = {
  ...first,
  dnsMsecs: null,
  connectMsecs: null,
  tlsMsecs: null,
  totalMsecs: 2,
};
const two: TwoRequests = {
  protocol: "https",
  requests: [first, second],
  sameSocket: true,
  portsSeenBy: "server",
  closedBecause: null,
};
const kept: Run = {
  protocol: "https",
  keepAlive: true,
  socketsOpened: 20,
  tlsResumed: 0,
  reuseRatio: 0.998,
  p50Msecs: 1,
  p99Msecs: 2,
  tookMsecs: 1_000,
  failed: 0,
  statusCodes: { 200: 10_000 },
  handshakeMeanMsecs: 5,
  closed: {},
};
const fresh: Run = {
  ...kept,
  keepAlive: false,
  socketsOpened: 10_000,
  reuseRatio: 0,
  p99Msecs: 12_345,
  tookMsecs: 123_456,
};
const many: ManyRequests = {
  requests: 10_000,
  concurrency: 256,
  runs: [kept, fresh],
  saved: [
    {
      protocol: "https",
      handshakesAvoided: 9_980,
      handshakeMeanMsecs: 5,
      savedMsecs: 49_900,
    },
  ],
};
const queue: Queue = {
  requests: 100,
  delayMsecs: 20,
  runs: [5, 100].map((maxSockets) => ({
    maxSockets,
    socketsOpened: maxSockets,
    waitP50Msecs: 1_000 / maxSockets,
    waitP99Msecs: 2_000 / maxSockets,
    tookMsecs: 2_000 / maxSockets,
  })),
};
const bursts: Bursts = {
  burstRequests: 24,
  burstsAtMsecs: [0, 100, 600, 700],
  delayMsecs: 15,
  spanMsecs: 1_200,
  runs: [4, 24].map((maxFreeSockets) => ({
    maxFreeSockets,
    keepAliveMsecs: 2_000,
    requests: 96,
    socketsOpened: 100 - maxFreeSockets,
    idleSocketSeconds: maxFreeSockets * 2,
  })),
};

test("every line fits into 80 columns, with numbers as large as they get", () => {
  const plan = { requests: 10_000, concurrency: 256 };
  const lines = [
    ...renderStart("https://api.example.com/health", plan, "http://127.0.0.1:4700/", looks),
    ...renderTwoRequests([two], looks),
    ...renderManyRequests(many, looks),
    ...renderQueue(queue, looks),
    ...renderBursts(bursts, looks),
  ];
  for (const line of lines) assert.ok(widthOf(line) <= 80, `${widthOf(line)}: ${line}`);
});

test("two requests on one socket are said to be so, and who saw their ports", () => {
  assert.match(
    text(renderTwoRequests([two], looks)),
    /same socket: the server saw .* same client port/,
  );
  const foreign = { ...two, portsSeenBy: "client" } as const;
  assert.match(text(renderTwoRequests([foreign], looks)), /same socket: .* port of this machine/);
});

test("two requests on two sockets are never said to share one, and the reason is given", () => {
  const closed = { ...two, sameSocket: false, closedBecause: "connection-close" } as const;
  const said = text(renderTwoRequests([{ ...two, protocol: "http" }, closed], looks));
  assert.match(said, /HTTP: The second request used the same socket/);
  assert.match(
    said,
    /HTTPS: The second request needed another socket, .* connection-close \(the server/,
  );
});

test("a step that did not happen has neither a number nor a part of the bar", () => {
  const lines = renderTwoRequests([two], looks);
  const row = lines.find((line) => line.includes("2nd")) ?? "";
  assert.match(row, /2nd +– +– +– +2\.00 +2\.00 +60001 {2}█$/);
});

test("what keep-alive saved is said with how it was estimated", () => {
  const said = text(renderManyRequests(many, looks));
  assert.match(said, /123\.5 times as fast/);
  assert.match(said, /9,980 handshakes avoided × 5\.00 ms \(their mean .*\) = 49\.90 s/);
});

test("nothing is claimed where keep-alive saved nothing", () => {
  const saved = [
    { protocol: "https", handshakesAvoided: 0, handshakeMeanMsecs: 0, savedMsecs: 0 },
  ] as const;
  const said = text(renderManyRequests({ ...many, runs: [fresh, fresh], saved }, looks));
  assert.match(said, /HTTPS: keep-alive avoided no handshake here/);
  assert.doesNotMatch(said, /as fast/);
});

test("failures and odd status codes are not passed over", () => {
  const run = { ...kept, failed: 3, statusCodes: { 200: 9_990, 503: 7 } };
  const said = text(renderManyRequests({ ...many, runs: [run, fresh] }, looks));
  assert.match(said, /HTTPS with keep-alive: 7 answered 503, 3 failed\./);
});

/** All words on one line, however they were wrapped. */
function text(lines: readonly string[]): string {
  return lines.join(" ").replace(/\s+/g, " ");
}
