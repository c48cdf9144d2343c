/**
 * A batch, a slow service or a mass of aborted requests beside requests that somebody waits for. What is shown is
 * order and counts, as the server sees them; times have bounds of seconds, where any coupling would last for ever.
 */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import type { ClientOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { isSettled, makeClient, statsOf, until } from "../support/client-kit.ts";
import { answerNext, countingServer } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf, plainServer, statsFor } from "../support/loopback.ts";

const sockets = 10;
const batchCount = 300;
const delayMsecs = 20;

/** For what takes a millisecond on an idle machine. */
const patientMsecs = 2_000;

/** What an interactive request met. */
interface Met {
  /** Requests of the batch that came to the server before it, and had no connection when it was made. */
  readonly overtaken: number;
  /** It had to wait for a connection. */
  readonly waited: boolean;
}

/** A batch at once, and beside it interactive requests one after another until it is done, in `lane`. */
async function besideBatch(
  t: TestContext,
  lane: string,
  lanes: NonNullable<NonNullable<ClientOptions["services"]>[string]["lanes"]>,
): Promise<Met[]> {
  const server = await countingServer(t, () => delayMsecs);
  const { tally, origin } = server;
  const client = makeClient(t, { maxSockets: sockets, services: { default: { lanes } } });
  let isDone = false;
  const batch = Promise.all(
    Array.from({ length: batchCount }, () =>
      outcomeOf(client.request(`${origin}/batch`, { lane: "batch" })),
    ),
  );
  void batch.finally(() => {
    isDone = true;
  });
  await until(() => statsOf(client).sockets.busy > 0);
  const met: Met[] = [];
  while (!isDone) {
    const granted =
      (statsOf(client).lanes.batch?.served ?? 0) - (lane === "batch" ? met.length : 0);
    const from = tally.arrived.length;
    const request = outcomeOf(client.request(`${origin}/interactive`, { lane }));
    const waited = (statsOf(client).lanes[lane]?.pending ?? 0) > 0;
    assert.equal(await request, 200);
    const at = tally.arrived.indexOf("interactive", from);
    const before = tally.arrived.slice(0, at).filter((kind) => kind === "batch").length;
    met.push({ overtaken: before - granted, waited });
  }
  assert.deepEqual(new Set(await batch), new Set([200]));
  assert.equal(tally.arrived.length, batchCount + met.length);
  // As many at once as there are sockets, and never more.
  assert.equal(tally.most(), sockets);
  assert.equal(server.connectionCount, sockets);
  return met;
}

test("in the same lane as a batch, a request waits behind all of it", async (t) => {
  const [first] = await besideBatch(t, "batch", { batch: {} });
  assert(first !== undefined && first.overtaken >= batchCount - 2 * sockets, `${first?.overtaken}`);
});

test("in a lane of its own a request is overtaken by no more of a batch than the sockets carry at once", async (t) => {
  for (const lanes of [
    { interactive: { weight: 8 }, batch: {} },
    { interactive: {}, batch: {} },
  ]) {
    const met = await besideBatch(t, "interactive", lanes);
    // The batch lasts for 600 ms at least, and each of these for 40 or so: fewer would show nothing.
    assert(met.length >= 5, `${met.length} interactive requests`);
    // One turn that the batch was due; and on other sockets, what was granted later in the same turn of the event
    // loop may be read before it.
    const most = 1 + (sockets - 1);
    for (const { overtaken } of met) assert(overtaken <= most, `overtaken by ${overtaken}`);
  }
});

test("a lane with a socket reserved never waits for a batch", async (t) => {
  const lanes = { interactive: { reservedSockets: 1 }, batch: {} };
  const [first, ...others] = await besideBatch(t, "interactive", lanes);
  // The first one waits for its dial.
  assert.equal(first?.waited, true);
  assert(others.length >= 5, `${others.length} interactive requests`);
  for (const { waited, overtaken } of others) {
    assert.equal(waited, false);
    assert(overtaken <= sockets - 1, `overtaken by ${overtaken}`);
  }
});

test("a service whose requests all hang delays another by nothing", async (t) => {
  const slow = await holdingServer(t);
  const other = await plainServer(t);
  const client = makeClient(t, {
    services: {
      slow: { origins: slow.origin, maxSockets: 5 },
      other: { origins: other.origin, maxSockets: 5 },
    },
  });
  const hanging = Array.from({ length: 200 }, () => outcomeOf(client.request(slow.origin)));
  for (let count = 0; count < 5; count++) await slow.next();
  for (let count = 0; count < 50; count++) {
    const { body, timings } = await client.request(other.origin);
    assert.equal(await body.text(), "ok");
    assert(timings.queued < patientMsecs, `queued for ${timings.queued} ms`);
  }
  assert.equal(await isSettled(Promise.race(hanging), 1), false);
  assert.deepEqual(
    [slow, other].map((each) => each.connectionCount),
    [5, 1],
  );
  assert.equal(statsFor(client, slow.origin).pending, 195);
  client.destroy();
  assert.deepEqual(new Set(await Promise.all(hanging)), new Set(["ERR_KEEPLINE_CLIENT_CLOSED"]));
});

test("under a limit of the whole client, a reservation keeps a service's sockets from one that hangs", async (t) => {
  const slow = await holdingServer(t);
  const other = await plainServer(t);
  const client = makeClient(t, {
    maxTotalSockets: 6,
    services: {
      slow: { origins: slow.origin },
      other: { origins: other.origin, lanes: { default: { reservedSockets: 2 } } },
    },
  });
  const hanging = Array.from({ length: 200 }, () => outcomeOf(client.request(slow.origin)));
  for (let count = 0; count < 4; count++) await slow.next();
  for (let count = 0; count < 20; count++) {
    const pair = [client.request(other.origin), client.request(other.origin)];
    for (const { body, timings } of await Promise.all(pair)) {
      await body.text();
      assert(timings.queued < patientMsecs, `queued for ${timings.queued} ms`);
    }
  }
  assert.equal(await isSettled(Promise.race(hanging), 1), false);
  assert.deepEqual(
    [slow, other].map((each) => each.connectionCount),
    [4, 2],
  );
  client.destroy();
  await Promise.all(hanging);
});

test("under a service's limit, another lane has the next socket at its own origin, and nobody starves", async (t) => {
  for (const lane of ["own", "batch"]) {
    const held: ServerResponse[] = [];
    const busy = await plainServer(t, (_, response) => held.push(response));
    const other = await plainServer(t);
    const clock = new ManualClock();
    const client = makeClient(t, {
      clock,
      services: {
        api: {
          origins: [busy.origin, other.origin],
          maxTotalSockets: 2,
          lanes: { own: {}, batch: {} },
        },
      },
    });
    const batch: Promise<unknown>[] = [];
    const addToBatch = () => batch.push(outcomeOf(client.request(busy.origin, { lane: "batch" })));
    for (let count = 0; count < 12; count++) addToBatch();
    const single = outcomeOf(client.request(other.origin, { lane }));
    await until(() => held.length === 2);
    // Later is later by more than a handshake is worth.
    clock.advance(200);
    const hasSocket = () => statsFor(client, other.origin).sockets.open > 0;
    let answered = 0;
    for (;;) {
      await until(() => hasSocket() || held.length > 0);
      if (hasSocket()) break;
      // The queue never ends: for each that is answered another one comes.
      held.shift()?.end();
      answered++;
      addToBatch();
      assert(answered < 100, `${answered} of the busy origin went before it`);
    }
    // In a lane of its own it goes before all that wait; in the same lane, before those that came later.
    const most = lane === "own" ? 2 : 12;
    assert(answered <= most, `${answered} of the busy origin went before it in lane ${lane}`);
    assert.equal(await single, 200);
    while (statsFor(client, busy.origin).sockets.busy > 0) {
      await until(() => held.length > 0 || statsFor(client, busy.origin).sockets.busy === 0);
      held.shift()?.end();
    }
    assert.deepEqual(new Set(await Promise.all(batch)), new Set([200]));
    assert.equal(client.service("api").stats().highWater.open, 2);
  }
});

test("20,000 queued requests that one signal aborts all settle, and the next request is served", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    maxSockets: 4,
    services: { default: { lanes: { bulk: { maxSockets: 2 }, light: {} } } },
  });
  const stop = new AbortController();
  const { signal } = stop;
  const reason = new Error("enough");
  let settled = 0;
  const requests = Array.from({ length: 20_000 }, (_, index) =>
    client.request(server.origin, { signal, lane: index % 2 === 0 ? "bulk" : "light" }).then(
      () => assert.fail("was answered"),
      (error: unknown) => {
        assert.equal(error, reason);
        settled++;
      },
    ),
  );
  for (let count = 0; count < 4; count++) await server.next();
  assert.equal(statsOf(client).pending, 19_996);
  const abortedAt = performance.now();
  stop.abort(reason);
  // They leave the queue while the signal is told, and those that are under way leave their connections.
  const { pending, sockets: left, lanes } = statsOf(client);
  assert.deepEqual([pending, left.busy], [0, 0]);
  assert.deepEqual(
    Object.values(lanes).map((lane) => [lane.busy, lane.pending]),
    [
      [0, 0],
      [0, 0],
    ],
  );
  await Promise.all(requests);
  const msecs = performance.now() - abortedAt;
  assert.equal(settled, 20_000);
  assert(msecs < 10_000, `it took ${Math.round(msecs)} ms`);
  const next = ["bulk", "light"].map((lane) => outcomeOf(client.request(server.origin, { lane })));
  await answerNext(server, 2);
  assert.deepEqual(await Promise.all(next), [200, 200]);
  await client.close();
});
