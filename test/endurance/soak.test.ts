/**
 * Moderate load without faults, in which the options change every second: nothing fails,
 * nothing grows, limits hold, and all numbers add up.
 *   KEEPLINE_SEED=n           repeats a run's configurations and requests
 *   KEEPLINE_SOAK_SECONDS=n   instead of 8, or 60 with KEEPLINE_THOROUGH=1; beyond 120 with `npm test -- soak --test-timeout=MSECS`
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeCertificate } from "../../src/cli/certificate.ts";
import { Client, type LiveOptions, type OriginStats } from "../../src/index.ts";
import {
  type Answer,
  answerField,
  assertIsAnswerTo,
  bodyReaders,
  bytesOf,
  type ChecksumOrigin,
  checksumOf,
  checksumOrigin,
} from "../support/checksum-origin.ts";
import { type Choices, choices } from "../support/choices.ts";
import { assertNothingLeft, until } from "../support/client-kit.ts";
import { activeResources, heapAfterGc } from "../support/process-kit.ts";
import { extent } from "../support/thorough.ts";

const seconds = Number(process.env.KEEPLINE_SOAK_SECONDS ?? extent(8, 60));
const seed = Number(process.env.KEEPLINE_SEED ?? 1);
const requestsPerSecond = 300;
/** When what there is at rest is measured for the first time. */
const settledAfterSeconds = Math.min(10, seconds / 2);
/** What the heap of a process may differ by between two measurements at rest. */
const heapSlackBytes = 3 * 1_048_576;

/** Limits on how a connection is used. */
type Limits = Required<
  Pick<LiveOptions, "keepAliveMsecs" | "maxRequestsPerSocket" | "maxSocketAgeMsecs">
>;

test(`${seconds} s of load under changing options bring no error, no growth and true numbers`, {
  timeout: (seconds + 110) * 1_000,
}, async (t) => {
  t.diagnostic(`seed ${seed}: KEEPLINE_SEED=${seed} repeats it`);
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const soak = await Soak.begin(t);
  let atRest: Rest | null = null;
  const endAt = performance.now() + seconds * 1_000;
  // On a busy machine a second takes longer than it should.
  for (let second = 0; performance.now() < endAt; second++) {
    if (second >= settledAfterSeconds && atRest === null) atRest = await soak.rest();
    // Between bursts, when connections are idle, or behind one, when they are busy.
    if (second % 2 === 0) await sleep(50);
    soak.configure(second);
    await Promise.all([soak.load(950), soak.untilInForce()]);
    soak.assertWell();
  }
  const end = await soak.rest();
  assert.ok(atRest !== null);
  t.diagnostic(
    `${soak.requestCount} requests, ${soak.openedCount} connections; heap ` +
      `${atRest.heapBytes} bytes after ${settledAfterSeconds} s, ${end.heapBytes} at the end`,
  );
  assert.deepEqual(end.resources, atRest.resources);
  assert.ok(
    end.heapBytes - atRest.heapBytes < heapSlackBytes,
    `the heap grew from ${atRest.heapBytes} to ${end.heapBytes} bytes`,
  );
  soak.assertCounts();
  await soak.assertKeepsReady();
  await soak.client.close();
  assertNothingLeft(soak.client);
  assert.deepEqual(warnings, []);
});

/** What a process holds when no request is under way and no socket is open. */
interface Rest {
  readonly heapBytes: number;
  /** How many there are of each kind, as `process.getActiveResourcesInfo` names them. */
  readonly resources: Readonly<Record<string, number>>;
}

/** The client under load, and what is known of it from outside. */
class Soak {
  requestCount = 0;
  openedCount = 0;
  readonly client: Client;
  readonly #origins: readonly ChecksumOrigin[];
  readonly #underWay = new Set<Promise<void>>();
  /** By id of the connection: when its first response came. */
  readonly #firstSeenAt = new Map<number, number>();
  #requestCounts = new Map<string, number>();
  #usedCounts = new Map<string, number>();
  #limits: Limits;
  /** Requests that are under way across a change were granted under these or under the new ones. */
  #limitsBefore: Limits;
  #configuredAt = 0;
  /** What was busy under higher limits is gone. */
  #isInForce = true;
  #error: unknown = null;

  private constructor(client: Client, origins: readonly ChecksumOrigin[]) {
    this.client = client;
    this.#origins = origins;
    const { keepAliveMsecs, maxRequestsPerSocket, maxSocketAgeMsecs } = client.options;
    this.#limits = { keepAliveMsecs, maxRequestsPerSocket, maxSocketAgeMsecs };
    this.#limitsBefore = this.#limits;
  }

  static async begin(t: TestContext): Promise<Soak> {
    const { key, cert } = makeCertificate();
    const origins = await Promise.all([
      checksumOrigin(t),
      checksumOrigin(t),
      checksumOrigin(t, {}, { keepAliveTimeout: 5_000 }), // with hints, which are respected
      checksumOrigin(t, {}, { tls: { key, cert } }),
    ]);
    // What it makes wait is meant to wait; any other warning is a fault.
    const saturationMsecs = Number.POSITIVE_INFINITY;
    const client = new Client({ saturationMsecs, connect: { tls: { ca: cert } } });
    t.after(() => client.destroy());
    return new Soak(client, origins);
  }

  /** Changes some options at random, and asserts what holds from that moment on. */
  configure(second: number): void {
    const { upTo, oneOf } = choices(-seed, second);
    const all: LiveOptions = {
      maxSockets: oneOf([2, 3, 4, 6, 8, 16, Number.POSITIVE_INFINITY]),
      maxTotalSockets: oneOf([6, 8, 12, 20, Number.POSITIVE_INFINITY]),
      maxFreeSockets: oneOf([0, 1, 2, 4, 4, 16, 16, 256]),
      keepAliveMsecs: oneOf([0, 200, 500, 500, 5_000, 5_000, Number.POSITIVE_INFINITY]),
      scheduling: oneOf(["lifo", "fifo"] as const),
      maxSocketAgeMsecs: oneOf([200, 400, 2_000, Number.POSITIVE_INFINITY]),
      maxRequestsPerSocket: oneOf([1, 20, 50, 100, 1_000, Number.POSITIVE_INFINITY]),
      keepAlive: upTo(16) > 0,
      maxPending: oneOf([10_000, Number.POSITIVE_INFINITY]),
      queueTimeoutMsecs: oneOf([20_000, 40_000, Number.POSITIVE_INFINITY]),
      connectTimeoutMsecs: oneOf([10_000, 20_000]),
      headersTimeoutMsecs: oneOf([20_000, 300_000]),
      bodyTimeoutMsecs: oneOf([20_000, 300_000]),
      requestTimeoutMsecs: oneOf([40_000, Number.POSITIVE_INFINITY]),
      maxHeaderBytes: oneOf([1_024, 16_384]),
      resend: oneOf(["safe", "never"] as const),
    };
    const some = Object.entries(all).filter(() => upTo(3) > 0);
    const changes: LiveOptions = Object.fromEntries(some);
    const next = { ...this.client.options, ...changes };
    const most = Math.min(next.maxFreeSockets ?? 0, next.maxSockets ?? 0);
    const minFreeSockets = Math.min(oneOf([0, 0, 1, 2]), most);
    this.#configure({ ...changes, minFreeSockets });
  }

  /** Sends requests for `msecs`, in bursts, of which some are larger than the limits. */
  async load(msecs: number): Promise<void> {
    const beganAt = performance.now();
    for (let sent = 0; ; ) {
      const passed = performance.now() - beganAt;
      for (const due = (passed * requestsPerSecond) / 1_000; sent < due; sent++) this.#send();
      // What is changed next meets connections that are busy.
      if (passed >= msecs) return;
      await sleep(60);
    }
  }

  /** Waits until what was busy under higher limits is gone: then they hold. */
  async untilInForce(): Promise<void> {
    await Promise.all(this.#underWay);
    // What takes the places of those that were busy is not over a limit; a dial may take a little longer.
    const { dialing } = this.client.stats().client.sockets;
    if (this.#openOverLimits() > dialing) this.#fail(new Error("busy sockets over a limit stayed"));
    await until(() => this.#openOverLimits() === 0);
    this.#isInForce = true;
  }

  /** Asserts that nothing has failed so far. */
  assertWell(): void {
    if (this.#error !== null) throw this.#error;
  }

  /** Waits until nothing is under way, lets all sockets go, and measures what is left. */
  async rest(): Promise<Rest> {
    await Promise.all(this.#underWay);
    this.assertWell();
    this.#configure({ minFreeSockets: 0, maxFreeSockets: 0 });
    await until(() => this.client.stats().client.sockets.open === 0);
    await until(() => this.#origins.every(({ openCount }) => openCount === 0));
    this.#firstSeenAt.clear();
    return { heapBytes: await heapAfterGc(), resources: await activeResources() };
  }

  /** Asserts, at rest, that what the client counted is what was seen from outside. */
  assertCounts(): void {
    for (const { origin, connectionCount } of this.#origins) {
      const stats = this.#statsOf(origin);
      const sent = this.#requestCounts.get(origin) ?? 0;
      const used = this.#usedCounts.get(origin) ?? 0;
      const { requests, opened, reused, resent, failed, lanes, timings, closed } = stats;
      const { busy, pending, served, timedOut, refused, shed } = lanes.default ?? assert.fail();
      assert.deepEqual(
        {
          requests,
          opened,
          reused,
          resent,
          failed,
          busy,
          pending,
          served,
          timedOut,
          refused,
          shed,
        },
        {
          requests: sent,
          opened: connectionCount,
          reused: sent - used,
          resent: 0,
          failed: 0,
          busy: 0,
          pending: 0,
          served: sent,
          timedOut: 0,
          refused: 0,
          shed: 0,
        },
      );
      assert.ok(used <= opened);
      const closedCount = Object.values(closed).reduce((sum, count) => sum + count, 0);
      assert.deepEqual(
        [closedCount, timings.queue.count, timings.firstByte.count, timings.connect.count],
        [opened, sent, sent, opened],
      );
    }
  }

  /** Asserts that `minFreeSockets` are held ready where nothing stands against it. */
  async assertKeepsReady(): Promise<void> {
    this.#configure({
      minFreeSockets: 2,
      maxFreeSockets: 4,
      maxSockets: 4,
      maxTotalSockets: Number.POSITIVE_INFINITY,
      keepAliveMsecs: Number.POSITIVE_INFINITY,
      maxSocketAgeMsecs: Number.POSITIVE_INFINITY,
    });
    const isReady = ({ sockets }: OriginStats): boolean => sockets.idle === 2 && sockets.open === 2;
    await until(() => this.client.stats().origins.every(isReady));
  }

  #configure(changes: LiveOptions): void {
    this.client.configure(changes);
    const { keepAliveMsecs, maxRequestsPerSocket, maxSocketAgeMsecs } = this.client.options;
    this.#limitsBefore = this.#limits;
    this.#limits = { keepAliveMsecs, maxRequestsPerSocket, maxSocketAgeMsecs };
    this.#configuredAt = performance.now();
    this.#isInForce = false;
    const { maxSockets, maxFreeSockets, maxTotalSockets } = this.client.options;
    const { client, origins } = this.client.stats();
    // Idle connections over a lowered limit are closed at once.
    const isOver = client.sockets.open > maxTotalSockets;
    assert.ok(!isOver || client.sockets.idle === 0, this.#story("maxTotalSockets"));
    for (const { sockets } of origins) {
      assert.ok(sockets.idle <= maxFreeSockets, this.#story("maxFreeSockets"));
      assert.ok(sockets.open <= maxSockets || sockets.idle === 0, this.#story("maxSockets"));
    }
  }

  /** How many sockets are open over the limits of the origins, or over that of all. */
  #openOverLimits(): number {
    const { maxSockets, maxTotalSockets } = this.client.options;
    const { client, origins } = this.client.stats();
    const over = origins.map(({ sockets }) => Math.max(sockets.open - maxSockets, 0));
    const overOrigins = over.reduce((sum, count) => sum + count, 0);
    return Math.max(overOrigins, client.sockets.open - maxTotalSockets);
  }

  #send(): void {
    const id = this.requestCount++;
    const chosen = choices(seed, id);
    const { origin } = this.#origins[
      chosen.oneOf([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
    ] as ChecksumOrigin;
    this.#requestCounts.set(origin, (this.#requestCounts.get(origin) ?? 0) + 1);
    const request = this.#request(id, origin, chosen)
      .catch((error: unknown) => this.#fail(new Error(`request ${id} fails`, { cause: error })))
      .finally(() => this.#underWay.delete(request));
    this.#underWay.add(request);
  }

  async #request(id: number, origin: string, { upTo, oneOf }: Choices): Promise<void> {
    const beganAt = performance.now();
    const method = oneOf(["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE"]);
    const hasBody = method === "POST" || method === "PUT";
    const size = (): number => (upTo(20) === 0 ? upTo(150_000) : upTo(2_000));
    const sent = bytesOf(id, hasBody ? size() : 0);
    const answer: Answer = {
      framing: upTo(20) === 0 ? "close" : oneOf(["length", "chunked"]),
      bytes: size(),
      pieces: 1 + upTo(4),
      delayMsecs: upTo(3) === 0 ? upTo(40) : 0,
    };
    const read = oneOf(bodyReaders);
    const pauseMsecs = upTo(20) === 0 ? upTo(20) : 0;
    const response = await this.client.request(origin, {
      method,
      headers: { "x-id": id, "x-answer": answerField(answer) },
      body: hasBody ? bodyOf(sent, upTo(4)) : null,
    });
    assertIsAnswerTo(id, method, checksumOf(sent), response);
    this.#assertMayBeUsed(origin, response.connection, beganAt);
    if (pauseMsecs > 0) await sleep(pauseMsecs);
    const received = await read(response.body);
    const expected = method === "HEAD" ? "" : bytesOf(id, answer.bytes);
    assert.ok(Buffer.from(expected).equals(received), `the body of response ${id} is another's`);
    if (this.#isInForce && id % 10 === 0) assert.equal(this.#openOverLimits(), 0);
  }

  /** Asserts of the connection of a response that the limits of its time allowed its use. */
  #assertMayBeUsed(
    origin: string,
    { id, requestCount, idleMsecs }: { id: number; requestCount: number; idleMsecs: number },
    beganAt: number,
  ): void {
    const most = (name: keyof Limits): number => {
      const limit = this.#limits[name] ?? 0;
      return beganAt > this.#configuredAt ? limit : Math.max(limit, this.#limitsBefore[name] ?? 0);
    };
    assert.ok(requestCount <= most("maxRequestsPerSocket"), this.#story("maxRequestsPerSocket"));
    assert.ok(idleMsecs === 0 || idleMsecs < most("keepAliveMsecs"), this.#story("keepAliveMsecs"));
    const firstSeenAt = this.#firstSeenAt.get(id);
    if (firstSeenAt === undefined) {
      this.#firstSeenAt.set(id, performance.now());
      this.#usedCounts.set(origin, (this.#usedCounts.get(origin) ?? 0) + 1);
      this.openedCount++;
      return;
    }
    const age = beganAt - firstSeenAt;
    assert.ok(age < most("maxSocketAgeMsecs"), this.#story("maxSocketAgeMsecs"));
  }

  #statsOf(origin: string): OriginStats {
    const found = this.client.stats().origins.find((each) => each.origin === origin);
    assert.ok(found !== undefined);
    return found;
  }

  #fail(error: unknown): void {
    if (this.#error !== null) return;
    this.#error = new Error(this.#story("every request succeeds"), { cause: error });
  }

  #story(broken: string): string {
    const { client, origins } = this.client.stats();
    const sockets = origins.map((each) => each.sockets);
    const { connect, clock, ...options } = this.client.options;
    const present = { options, before: this.#limitsBefore, client, sockets };
    return `seed ${seed}, request ${this.requestCount}: ${broken} is not kept: ${JSON.stringify(present)}`;
  }
}

function bodyOf(sent: Buffer, way: number) {
  switch (way) {
    case 0:
      return sent.toString();
    case 1:
      return new Blob([new Uint8Array(sent)]);
    case 2:
      return piecesOf(sent);
    default:
      return sent;
  }
}

async function* piecesOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}
