/**
 * Recordings of what a client did: what is in them, how they end, and that simulations of them do what the client did.
 */
import assert from "node:assert/strict";
import { createReadStream, readFileSync, statSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type ClientOptions, InvalidOptionError } from "../../src/index.ts";
import { type RecordOptions, record } from "../../src/record/index.ts";
import {
  advise,
  readTrace,
  simulate,
  type TraceHead,
  type TraceRecord,
} from "../../src/simulate/index.ts";
import { makeClient, statsOf, until } from "../support/client-kit.ts";
import { holdingServer, outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";
import { temporaryFolder } from "../support/temporary.ts";

type Line = TraceRecord & Partial<TraceHead>;

function linesOf(text: string): Line[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

const requestsIn = (lines: readonly Line[]): Line[] => lines.filter(({ at }) => at !== undefined);

test("of each request of any surface it has the times, the origin, service and lane, and no more than that", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.setHeader("keep-alive", "timeout=7");
    setTimeout(() => response.end("ok"), 20);
  });
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const client = makeClient(t, {
    maxFreeSockets: 3,
    maxTotalSockets: Number.POSITIVE_INFINITY,
    services: {
      api: { origins: [server.origin], lanes: { people: { weight: 2 } }, laneFor: () => "people" },
    },
  });
  const file = join(temporaryFolder(t), "requests.jsonl");
  const beganAt = Date.now();
  const recording = record(client, { to: file });
  const secret = { authorization: "Bearer hush", "x-secret": "hush" };
  await outcomeOf(client.request(`${server.origin}/hush?hush=1`, { headers: secret }));
  await outcomeOf(client.request(server.origin, { method: "POST", body: "hush", headers: secret }));
  await (await client.fetch(`${server.origin}/hush`)).text();
  const agent = client.httpAgent();
  http
    .get(`${server.origin}/hush`, { agent, headers: secret })
    .on("response", (res) => res.resume());
  await until(() => recording.requestCount === 4);
  await outcomeOf(client.request(dead));
  assert.equal(await recording.stop(), "stopped");
  assert.equal(await recording.stop(), "stopped", "again");
  await outcomeOf(client.request(server.origin));

  const text = readFileSync(file, "utf8");
  assert.doesNotMatch(text, /hush/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const lines = linesOf(text);
  const requests = requestsIn(lines);
  const common = { origin: server.origin, service: "api", lane: "people" };
  assert.deepEqual(
    requests.map(({ at: _, heldMsecs: __, ...others }) => others),
    [
      common,
      { ...common, isReplayable: false },
      common,
      common,
      { origin: dead, failure: "ERR_KEEPLINE_CONNECT" },
    ],
  );
  for (const { at, heldMsecs = 20 } of requests) {
    assert.ok(Number(at) >= beganAt - 1 && Number(at) <= Date.now(), `${at}`);
    assert.ok(heldMsecs >= 19 && heldMsecs < 10_000, `${heldMsecs}`);
  }
  assert.equal(requests[4]?.heldMsecs, undefined, "it never had a connection");
  const [first, last] = [lines[0], lines.at(-1)];
  assert.deepEqual(first?.settings, {
    maxFreeSockets: 3,
    services: { api: { origins: [server.origin], lanes: { people: { weight: 2 } } } },
  });
  assert.deepEqual([last?.ended, last?.requests, last?.leftOut], ["stopped", 5, 0]);
  assert.equal(last?.servers?.origins?.[server.origin]?.hintMsecs, 7_000);
  assert.equal(recording.requestCount, 5);
  const written = text.split("\n").filter((line) => line.startsWith('{"at"'));
  assert.equal(recording.byteCount, written.join("\n").length + 1);
});

test("what is under way when it ends is in it, as not over", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const to = new PassThrough();
  // Somebody else looks on already, so that what was there before is told of, too.
  const earlier = record(client, { to: new PassThrough().resume() });
  const before = outcomeOf(client.request(server.origin));
  const recording = record(client, { to });
  const written = textOf(to);
  const [first, second] = [1, 2].map(() => outcomeOf(client.request(server.origin)));
  (await server.next()).response.end();
  await before;
  const { response } = await server.next();
  await recording.stop();
  await earlier.stop();
  response.end();
  await first;
  (await server.next()).response.end();
  await second;
  const requests = requestsIn(linesOf(await written));
  assert.deepEqual(
    requests.map(({ isOver, heldMsecs }) => [isOver, heldMsecs !== undefined]),
    [
      [false, true],
      [false, false],
    ],
    "one that has a connection, and one that waits; and not the one from before",
  );
});

/** Bursts of ten, at once. */
async function bursts(client: Client, origin: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await Promise.all(Array.from({ length: 10 }, () => outcomeOf(client.request(origin))));
    await sleep(40);
  }
}

test("its simulation opens the sockets that the client has opened, and advice for it begins with the client's settings", async (t) => {
  const server = await plainServer(t, (_, response) => setTimeout(() => response.end("ok"), 15));
  const settings: ClientOptions = { maxSockets: 10, maxFreeSockets: 2 };
  const client = makeClient(t, settings);
  const file = join(temporaryFolder(t), "requests.jsonl");
  const recording = record(client, { to: file });
  await bursts(client, server.origin, 12);
  await recording.stop();
  const { opened } = statsOf(client);
  assert.ok(opened > 50, `${opened}`);

  const report = await simulate({ workload: { kind: "trace", source: createReadStream(file) } });
  assert.equal(report.requests, 120);
  assert.ok(
    Math.abs(report.sockets.opened - opened) <= 0.2 * opened,
    `${report.sockets.opened}, not ${opened}`,
  );
  const more = await simulate({
    workload: { kind: "trace", source: createReadStream(file) },
    settings: { maxFreeSockets: 10 },
  });
  assert.ok(more.sockets.opened <= 12, `${more.sockets.opened}`);
  const { simulation } = await readTrace(createReadStream(file));
  const { present, recommended } = await advise(simulation);
  assert.deepEqual(present.values, { ...settings, keepAliveMsecs: 5_000 });
  assert.ok(recommended.values.maxFreeSockets >= 8, JSON.stringify(recommended.values));
});

test("it ends by itself at each limit, says so, and costs nothing from then on", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  const folder = temporaryFolder(t);
  const run = async (limits: Partial<RecordOptions>, requests: number) => {
    const file = join(folder, `${Object.keys(limits)[0]}.jsonl`);
    const recording = record(client, { to: file, ...limits });
    for (let index = 0; index < requests; index++) await outcomeOf(client.request(server.origin));
    const ended = await recording.finished;
    const lines = linesOf(readFileSync(file, "utf8"));
    assert.equal(lines.at(-1)?.ended, ended);
    assert.equal(requestsIn(lines).length, recording.requestCount);
    return { ended, recording };
  };
  const many = await run({ maxRequests: 3 }, 5);
  assert.deepEqual([many.ended, many.recording.requestCount], ["requests", 3]);
  const large = await run({ maxBytes: 300 }, 8);
  assert.equal(large.ended, "bytes");
  assert.ok(large.recording.byteCount <= 300 && large.recording.requestCount >= 2);
  const long = await run({ maxMsecs: 30 }, 1);
  assert.deepEqual([long.ended, long.recording.requestCount], ["time", 1]);
});

test("a stream that does not take it is no reason to wait: what it missed is counted; and one that breaks ends it", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t);
  // Takes the head, and then nothing for a long time.
  let release = (): void => {};
  let written = "";
  const slow = new Writable({
    highWaterMark: 1,
    write(piece, _, done) {
      written += piece;
      release = done;
    },
  });
  Object.defineProperty(slow, "writableLength", { get: () => (written === "" ? 0 : 5 << 20) });
  const recording = record(client, { to: slow });
  await outcomeOf(client.request(server.origin));
  const stopped = recording.stop();
  assert.deepEqual([recording.requestCount, recording.leftOutCount], [0, 1]);
  release();
  assert.equal(await stopped, "stopped");

  const broken = new PassThrough();
  const other = record(client, { to: broken });
  broken.destroy(new Error("it is gone"));
  await assert.rejects(other.finished, /it is gone/);
  assert.equal(other.ended, "stopped");
  assert.equal(await outcomeOf(client.request(server.origin)), 200);
});

test("what cannot be a recording is refused", (t) => {
  const client = makeClient(t);
  const refused = (options: unknown, words: RegExp, of: Client = client): void => {
    assert.throws(
      () => record(of, options as RecordOptions),
      (error: Error) => error instanceof InvalidOptionError && words.test(error.message),
    );
  };
  const to = new PassThrough();
  refused({}, /record\(\): to must be the name of a file, or a stream/);
  refused(undefined, /record\(\): to must be/);
  refused({ to, maxRequests: 0 }, /record\(\): maxRequests must be/);
  refused({ to, maxRequests: 2_000_000 }, /record\(\): maxRequests must be/);
  refused({ to, maxBytes: "1" }, /record\(\): maxBytes must be/);
  refused({ to, maxMsecs: -1 }, /record\(\): maxMsecs must be/);
  refused({ to, maxRequest: 1 }, /record\(\): .*did you mean "?maxRequests/);
  refused({ to }, /record\(\)/, {} as Client);
  assert.throws(() => record(client, { to: join(temporaryFolder(t), "no", "file") }), /ENOENT/);
});
