/**
 * Thousands of requests of every kind through proxies that break, stall, split and slow the connections at any
 * moment: every promise settles, every answer is the request's own, what must not be sent twice is not, no
 * error says of a request that it was not sent when it was, and in the end nothing is left and all numbers add up.
 *   KEEPLINE_THOROUGH=1   20,000 requests instead of 5,000
 *   KEEPLINE_SEED=n   other requests and faults. What is planned is the same for a seed; when it happens is not.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeCertificate } from "../../src/cli/certificate.ts";
import {
  BodyTimeoutError,
  Client,
  type ClientResponse,
  ConnectError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  type KeeplineError,
  type OriginStats,
  RequestTimeoutError,
  SocketClosedError,
} from "../../src/index.ts";
import { FaultProxy } from "../../src/testing/index.ts";
import {
  bodyKinds,
  optionsOf,
  type PlannedRequest,
  plannedFaults,
  plannedRequest,
  setFaults,
} from "../support/chaos-plan.ts";
import {
  assertIsAnswerTo,
  bodyReaders,
  bytesOf,
  type ChecksumOrigin,
  checksumOf,
  checksumOrigin,
} from "../support/checksum-origin.ts";
import { assertNothingLeft, seeded, until } from "../support/client-kit.ts";
import { activeResources, heapAfterGc } from "../support/process-kit.ts";
import { extent } from "../support/thorough.ts";

const seed = Number(process.env.KEEPLINE_SEED ?? 1);
const requestCount = extent(5_000, 20_000);
const width = 50;
/** Workers stand still for a moment, so that connections become idle, whenever so many more were sent. */
const requestsPerLull = 1_000;
const lullMsecs = 30;
/** When the memory is measured that the end is compared with. */
const settledCount = 5_000;
const heapSlackBytes = 4 * 1_048_576;
/** Longer than all timeouts together. */
const stuckMsecs = 20_000;

/** What a request may fail with here; no proxy changes a byte, so that no response is invalid. */
const allowedErrors = [
  BodyTimeoutError,
  ConnectError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  RequestTimeoutError,
  SocketClosedError,
] as const;

test(`${requestCount} requests of every kind survive a network that does anything at any moment`, async (t) => {
  t.diagnostic(`seed ${seed}: KEEPLINE_SEED=${seed} repeats the plan`);
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const resourcesBefore = await activeResources();
  const chaos = await Chaos.begin(t);
  await chaos.run(settledCount);
  await chaos.rest();
  const heapBefore = await heapAfterGc();
  await chaos.run(requestCount);
  chaos.assertCounts();
  await chaos.rest();
  const heapBytes = await heapAfterGc();
  await chaos.end();
  chaos.report(t);
  chaos.assertHappened();
  assert.deepEqual(await activeResources(), resourcesBefore);
  t.diagnostic(`heap ${heapBefore} bytes after ${settledCount} requests, ${heapBytes} at the end`);
  assert.ok(
    heapBytes - heapBefore < heapSlackBytes,
    `the heap grew from ${heapBefore} to ${heapBytes} bytes`,
  );
  // Where the machine has other work requests may wait for long enough to be warned of.
  const others = warnings.filter((each) => !("code" in each && each.code === "KEEPLINE_SATURATED"));
  assert.deepEqual(others, []);
});

/** A way from the client to an origin. */
interface Route {
  readonly origin: ChecksumOrigin;
  readonly proxy: FaultProxy;
}

/** The client, the bad network and the origins, and what is known of every request. */
class Chaos {
  readonly #client: Client;
  readonly #routes: readonly Route[];
  readonly #ledger: Ledger;
  readonly #underWay = new Set<number>();
  #next = 0;
  #settledAt = 0;
  #lull: Promise<void> | null = null;

  private constructor(client: Client, routes: readonly Route[], ledger: Ledger) {
    this.#client = client;
    this.#routes = routes;
    this.#ledger = ledger;
  }

  static async begin(t: TestContext): Promise<Chaos> {
    const ledger = new Ledger();
    const { key, cert } = makeCertificate();
    const route = async (place: number, isTls: boolean, msecs: number): Promise<Route> => {
      const watch = {
        arrived: (id: number, index: number) => ledger.arrived(id, `${place}/${index}`),
        processed: (id: number, index: number) => ledger.processed(id, `${place}/${index}`),
      };
      const origin = await checksumOrigin(t, watch, isTls ? { tls: { key, cert } } : {});
      const proxy = await FaultProxy.listen({
        target: origin.origin,
        delayMsecs: msecs,
        jitterMsecs: 2 * msecs,
        random: seeded(seed),
        plan: (connection) => {
          const faults = plannedFaults(seed, place, connection.index);
          setFaults(connection, faults, (fault, moment) => {
            ledger.happened(`${place}/${connection.index}`, fault.kind, moment.after);
          });
        },
      });
      t.after(() => proxy.close());
      return { origin, proxy };
    };
    const routes = [await route(0, false, 0), await route(1, false, 1), await route(2, true, 0)];
    const client = new Client({
      maxSockets: 12,
      maxTotalSockets: 30,
      keepAliveMsecs: 2_000,
      connectTimeoutMsecs: 1_000,
      headersTimeoutMsecs: 500,
      bodyTimeoutMsecs: 500,
      requestTimeoutMsecs: 5_000,
      connect: { tls: { ca: cert } },
    });
    t.after(() => client.destroy());
    return new Chaos(client, routes, ledger);
  }

  /** Sends the requests up to number `end`, and waits until nothing is under way. */
  async run(end: number): Promise<void> {
    this.#settledAt = performance.now();
    const worker = async (): Promise<void> => {
      while (this.#next < end && this.#ledger.violation === null) {
        if (this.#next % requestsPerLull === 0) this.#lull = sleep(lullMsecs);
        const id = this.#next++;
        await this.#lull;
        await this.#one(plannedRequest(seed, id));
      }
    };
    let watch: NodeJS.Timeout | undefined;
    const stuck = new Promise<void>((resolve) => {
      watch = setInterval(() => {
        if (performance.now() - this.#settledAt < stuckMsecs) return;
        const [oldest = -1] = this.#underWay;
        this.#ledger.violate(oldest, `it and ${this.#underWay.size - 1} others do not settle`);
        resolve();
      }, 1_000);
    });
    await Promise.race([Promise.all(Array.from({ length: width }, worker)), stuck]);
    clearInterval(watch);
    this.#ledger.assertNoViolation();
    this.#ledger.forget(end);
    await until(() => {
      const { sockets, pending } = this.#client.stats().client;
      return pending === 0 && sockets.busy === 0 && sockets.dialing === 0;
    }, "after the last request nothing is under way");
    // A connection that met a fault may hang in the middle of the network; any other is one that the client holds.
    await until(() => {
      const whole = this.#routes.flatMap(({ proxy }, place) =>
        proxy.connections.filter(({ index }) => !this.#ledger.hasMetFault(`${place}/${index}`)),
      );
      return whole.length <= this.#client.stats().client.sockets.open;
    }, "the client has closed what it does not hold");
  }

  /** Closes all connections from the middle of the network, where some still hang, and waits for the ends to notice. */
  async rest(): Promise<void> {
    for (const { proxy } of this.#routes) for (const each of proxy.connections) each.destroy();
    await until(() => this.#client.stats().client.sockets.open === 0, "the client notices");
    await until(() => this.#routes.every(({ origin }) => origin.openCount === 0));
  }

  /** Asserts, while nothing is under way, that what the client counted is what the programs saw. */
  assertCounts(): void {
    for (const [place, { origin, proxy }] of this.#routes.entries()) {
      const stats = this.#statsOf(proxy.origin);
      const seen = this.#ledger.seenBy(place);
      const { requests, opened, reused, resent, failed, sockets, closed, timings } = stats;
      const { served, timedOut, refused } = stats.lanes.default ?? assert.fail();
      const undialed = closed["dial-failed"] + closed["connect-timeout"];
      const closedCount = Object.values(closed).reduce((sum, count) => sum + count, 0) - undialed;
      assert.equal(requests, seen.requests);
      assert.deepEqual([timedOut, refused], [0, 0]);
      // Whoever asks gets a connection, or fails while waiting for one.
      assert.equal(served, requests + resent - seen.failedWaiting);
      assert.equal(failed, seen.failures);
      assert.equal(timings.firstByte.count, seen.heads);
      assert.ok(timings.queue.count <= requests && timings.queue.count >= served - resent);
      // Every connection is idle or closed, and is one that the proxy knows.
      assert.equal(sockets.open, sockets.idle);
      assert.equal(opened - closedCount, sockets.idle);
      assert.equal(opened + undialed, proxy.connectionCount);
      assert.equal(timings.connect.count, opened);
      assert.ok(origin.connectionCount <= proxy.connectionCount);
      // A request is a connection's first, or reuses it.
      assert.ok(served - reused <= opened);
      // What arrived was sent; and what was sent again is more than what the answers tell of.
      assert.ok(seen.arrivals <= served, `${seen.arrivals} arrived, of ${served} sent`);
      assert.ok(seen.answeredResends <= resent);
    }
  }

  /** Closes everything; nothing may be left. */
  async end(): Promise<void> {
    await this.#client.close();
    assertNothingLeft(this.#client);
    for (const { proxy, origin } of this.#routes) {
      await proxy.close();
      await until(() => origin.openCount === 0);
      await origin.stop();
    }
    this.#ledger.assertNoViolation();
  }

  report(t: TestContext): void {
    const resent = this.#routes.map(({ proxy }) => this.#statsOf(proxy.origin).resent);
    const connections = this.#routes.map(({ proxy }) => proxy.connectionCount);
    t.diagnostic(`connections ${connections}, sent again ${resent}`);
    this.#ledger.report(t);
  }

  /** Asserts that what the test is about came to pass. */
  assertHappened(): void {
    for (const { proxy } of this.#routes) {
      const { origin } = proxy;
      assert.ok(this.#statsOf(origin).resent > 0, `nothing was sent again to ${origin}`);
    }
    this.#ledger.assertHappened();
  }

  async #one(planned: PlannedRequest): Promise<void> {
    const { id, place } = planned;
    const { proxy } = this.#routes[place] as Route;
    this.#underWay.add(id);
    this.#ledger.began(planned);
    let response: ClientResponse | null = null;
    try {
      response = await this.#client.request(proxy.origin, optionsOf(planned));
      this.#ledger.answered(planned, response);
      if (planned.pauseMsecs > 0) await sleep(planned.pauseMsecs);
      const read = bodyReaders[planned.reader % bodyReaders.length] as (typeof bodyReaders)[0];
      this.#ledger.received(planned, response, await read(response.body));
    } catch (error) {
      this.#ledger.failed(planned, error);
    }
    this.#underWay.delete(id);
    this.#settledAt = performance.now();
  }

  #statsOf(origin: string): OriginStats {
    return this.#client.stats().origins.find((each) => each.origin === origin) ?? assert.fail();
  }
}

/** What the requests of one route came to, seen from outside of the client. */
interface Seen {
  requests: number;
  /** Requests whose response began. */
  heads: number;
  /** Requests that met an error. */
  failures: number;
  /** Of these: while they waited for a connection, for the first time or again. */
  failedWaiting: number;
  /** How often the head of a request reached the origin. */
  arrivals: number;
  /** How often the requests that were answered had been sent again. */
  answeredResends: number;
}

/** What happened to every request, on both sides, and the first thing that must not. */
class Ledger {
  violation: string | null = null;
  readonly #arrivals = new Uint8Array(requestCount);
  readonly #processed = new Uint8Array(requestCount);
  /** 1 where the origin may see the request no more than once. */
  readonly #isOnce = new Uint8Array(requestCount);
  /** 1 where the origin may receive the body no more than once. */
  readonly #hasOneBody = new Uint8Array(requestCount);
  /** 1 where the client said that it had not sent the request. */
  readonly #isUnsent = new Uint8Array(requestCount);
  readonly #seen: readonly Seen[] = [0, 1, 2].map(() => ({
    requests: 0,
    heads: 0,
    failures: 0,
    failedWaiting: 0,
    arrivals: 0,
    answeredResends: 0,
  }));
  readonly #outcomes = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #moments = new Map<string, number>();
  readonly #bodyKinds = new Map<string, number>();
  readonly #stories = new Map<number, string[]>();
  readonly #faultStories = new Map<string, string>();
  /** Connections, as place and index. */
  readonly #faulty = new Set<string>();

  seenBy(place: number): Seen {
    return this.#seen[place] as Seen;
  }

  began({ id, place, payload, answer, ...rest }: PlannedRequest): void {
    this.seenBy(place).requests++;
    if (rest.isOnce) this.#isOnce[id] = 1;
    if (rest.hasOneBody) this.#hasOneBody[id] = 1;
    const plan = { place, sends: payload.length, answer, ...rest };
    this.#stories.set(id, [`planned ${JSON.stringify(plan)}`]);
    this.#tell(id, "begins");
  }

  arrived(id: number, connection: string): void {
    const arrivals = (this.#arrivals[id] ?? 0) + 1;
    this.#arrivals[id] = arrivals;
    this.seenBy(Number(connection.split("/")[0])).arrivals++;
    this.#tell(id, `reaches the origin on connection ${connection}`);
    if (this.#isOnce[id] === 1 && arrivals > 1) {
      this.violate(id, `it must not be sent twice, and reached the origin ${arrivals} times`);
    }
    this.#assertMayHaveArrived(id);
  }

  processed(id: number, connection: string): void {
    const processed = (this.#processed[id] ?? 0) + 1;
    this.#processed[id] = processed;
    this.#tell(id, `is processed on connection ${connection}`);
    if (this.#hasOneBody[id] === 1 && processed > 1) {
      this.violate(id, `its body can be read once, and was received ${processed} times`);
    }
  }

  happened(connection: string, fault: string, moment: string): void {
    this.#faulty.add(connection);
    count(this.#faults, fault);
    count(this.#moments, moment);
    const before = this.#faultStories.get(connection) ?? "";
    const now = performance.now().toFixed(1);
    this.#faultStories.set(connection, `${before} ${fault} after ${moment} at ${now};`);
  }

  hasMetFault(connection: string): boolean {
    return this.#faulty.has(connection);
  }

  answered(planned: PlannedRequest, response: ClientResponse): void {
    const { id, place, method, payload } = planned;
    const { resends } = response;
    this.seenBy(place).heads++;
    this.seenBy(place).answeredResends += resends;
    this.#tell(id, `gets a response, after it was sent again ${resends} times`);
    try {
      assertIsAnswerTo(id, method, checksumOf(payload), response);
    } catch (error) {
      this.violate(id, String(error));
    }
    const arrivals = this.#arrivals[id] ?? 0;
    if (arrivals === 0) this.violate(id, "it has a response and never reached the origin");
    if (arrivals > 1 + resends) {
      this.violate(id, `sent again ${resends} times, it reached the origin ${arrivals} times`);
    }
  }

  received(
    { id, method, answer, bodyKind }: PlannedRequest,
    response: ClientResponse,
    bytes: Uint8Array,
  ): void {
    this.#tell(id, `has read ${bytes.length} bytes`);
    const expected = bytesOf(id, answer.bytes);
    const length = method === "HEAD" ? 0 : answer.bytes;
    // The end of the connection is where such a body ends: nobody can tell that one was cut off.
    const isCut = answer.framing === "close" && bytes.length < length;
    const sum = checksumOf(isCut || method === "HEAD" ? expected : bytes);
    if (sum !== response.headers["x-sent"] || (!isCut && bytes.length !== length)) {
      this.violate(id, `its body has ${bytes.length} bytes, of ${length}, or other ones`);
    } else if (!expected.subarray(0, bytes.length).equals(bytes)) {
      this.violate(id, "its body is another's");
    }
    count(this.#outcomes, isCut ? "cut" : "whole");
    count(this.#bodyKinds, bodyKind);
  }

  failed({ id, place }: PlannedRequest, error: unknown): void {
    this.#tell(id, `fails with ${String(error)}`);
    if (!isAllowed(error)) {
      this.violate(id, `it fails with an unexpected ${String((error as Error).stack)}`);
      return;
    }
    count(this.#outcomes, error.name);
    const seen = this.seenBy(place);
    seen.failures++;
    if (isOfWaiting(error)) seen.failedWaiting++;
    if (!error.requestSent) this.#isUnsent[id] = 1;
    this.#assertMayHaveArrived(id);
  }

  /** Notes the first thing that must not happen, with what is known of the request. */
  violate(id: number, what: string): void {
    if (this.violation !== null) return;
    const story = this.#stories.get(id) ?? ["its story was forgotten"];
    const faults = new Set(story.flatMap((line) => /connection (\d\/\d+)/.exec(line)?.[1] ?? []));
    const lines = [...faults].map(
      (connection) => `connection ${connection}:${this.#faultStories.get(connection) ?? " whole"}`,
    );
    this.violation = [`seed ${seed}, request ${id}: ${what}`, ...story, ...lines].join("\n  ");
  }

  assertNoViolation(): void {
    if (this.violation !== null) assert.fail(this.violation);
  }

  /** Lets go of the stories of requests up to `end`, so that memory can be measured. */
  forget(end: number): void {
    for (let id = 0; id < end; id++) this.#stories.delete(id);
    this.#faultStories.clear();
  }

  report(t: TestContext): void {
    for (const counts of [this.#outcomes, this.#faults, this.#moments, this.#bodyKinds]) {
      t.diagnostic(JSON.stringify(Object.fromEntries([...counts].sort())));
    }
  }

  assertHappened(): void {
    const kinds = ["fin", "reset", "half-close", "stall", "split", "truncate"];
    for (const kind of kinds) assert.ok(this.#faults.has(kind), `there was no ${kind}`);
    const moments = [
      "idle",
      "msecs",
      "requests",
      "responses",
      "bytes-to-client",
      "bytes-to-server",
    ];
    for (const moment of moments) assert.ok(this.#moments.has(moment), `none came after ${moment}`);
    for (const kind of bodyKinds) assert.ok(this.#bodyKinds.has(kind), `no body was ${kind}`);
    for (const outcome of ["whole", "SocketClosedError", "HeadersTimeoutError"]) {
      assert.ok(this.#outcomes.has(outcome), `no request was ${outcome}`);
    }
  }

  #assertMayHaveArrived(id: number): void {
    if (this.#isUnsent[id] === 1 && (this.#arrivals[id] ?? 0) > 0) {
      this.violate(id, "its error says that it was not sent, and it reached the origin");
    }
  }

  #tell(id: number, what: string): void {
    this.#stories.get(id)?.push(`${performance.now().toFixed(1)} ${what}`);
  }
}

function isAllowed(error: unknown): error is KeeplineError {
  return allowedErrors.some((kind) => error instanceof kind);
}

/** True when no connection carried the request at the time of `error`. */
function isOfWaiting(error: KeeplineError): boolean {
  if (error instanceof ConnectError || error instanceof ConnectTimeoutError) return true;
  return error instanceof RequestTimeoutError && error.message.includes("waiting for a socket");
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
