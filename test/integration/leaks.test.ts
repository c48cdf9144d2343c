/**
 * Response bodies that nobody reads: which are reported, when and how, and how a connection comes back
 * whose response the program has dropped.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, type Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type {
  Client,
  ClientOptions,
  ClientResponse,
  OriginStats,
  ResponseBody,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { closedReasons, makeClient, statsOf, until } from "../support/client-kit.ts";
import { httpServer, type RawConnection, rawServer } from "../support/raw-server.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const timeoutMsecs = 1_000;
/** How long a body is held, and not watched: most end in it. */
const unwatchedMsecs = timeoutMsecs / 10;
const largeBytes = 1_000_000;

interface Warned {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly detail: string;
}

/** What is warned of while the test runs, in place of showing it. */
function warnings(t: TestContext): Warned[] {
  const warned: Warned[] = [];
  t.mock.method(process, "emitWarning", (message: string, options: Omit<Warned, "message">) => {
    warned.push({ message, ...options });
  });
  return warned;
}

/** A client whose clock the test moves. */
function clockedClient(t: TestContext, options: ClientOptions = {}) {
  const clock = new ManualClock();
  const client = makeClient(t, {
    leakTimeoutMsecs: timeoutMsecs,
    bodyTimeoutMsecs: Number.POSITIVE_INFINITY,
    ...options,
    clock,
  });
  return { client, clock };
}

/** Answers `/small` with two bytes, and everything else with a body that does not arrive with its head. */
function largeServer(t: TestContext) {
  return httpServer(t, (request, response) => {
    response.end(request.url === "/small" ? "ok" : Buffer.alloc(largeBytes, "large"));
  });
}

/** Sends a head that promises `bytes`, and `part` of them with it. */
function begins(bytes: number, part = "") {
  return async (connection: RawConnection): Promise<void> => {
    await connection.request();
    await connection.send(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n${part}`);
  };
}

/** Asks for a large body: the name is looked for in a stack. */
function askForLarge(client: Client, origin: string): Promise<ClientResponse> {
  return client.request(origin);
}

interface Situation {
  readonly what: string;
  readonly path?: string;
  /** What the program does with the response; it returns what it holds from then on. */
  readonly use: (response: ClientResponse, clock: ManualClock, client: Client) => unknown;
  /** How often that is reported. */
  readonly reports: 0 | 1;
}

const situations: readonly Situation[] = [
  { what: "that is never touched", use: (response) => response, reports: 1 },
  {
    what: "whose head alone is looked at",
    use: (response) => [response, response.statusCode, response.headers, response.body.used],
    reports: 1,
  },
  {
    what: "that is iterated in part",
    use: async ({ body }) => {
      const iterator = body[Symbol.asyncIterator]();
      for (let count = 0; count < 3; count++) await iterator.next();
      return iterator;
    },
    reports: 1,
  },
  {
    what: "whose iterator is never asked",
    use: ({ body }) => body[Symbol.asyncIterator](),
    reports: 1,
  },
  { what: "whose stream goes nowhere", use: ({ body }) => body.toReadable(), reports: 1 },
  {
    what: "whose stream is paused",
    use: async ({ body }) => {
      const stream = body.toReadable();
      stream.on("data", () => stream.pause());
      await once(stream, "pause");
      return stream;
    },
    reports: 1,
  },
  { what: "that is read at once", use: ({ body }) => body.text(), reports: 0 },
  {
    what: "that is dumped",
    use: ({ body }) => body.dump({ maxBytes: largeBytes }),
    reports: 0,
  },
  { what: "whose dump is over its limit", use: ({ body }) => body.dump(), reports: 0 },
  {
    what: "whose loop is left",
    use: async ({ body }) => {
      for await (const _ of body) break;
    },
    reports: 0,
  },
  {
    what: "whose stream is destroyed",
    use: ({ body }) => body.toReadable().destroy(),
    reports: 0,
  },
  { what: "that is small", path: "small", use: (response) => response, reports: 0 },
  {
    what: "that is read slowly but steadily",
    use: async ({ body }, clock) => {
      const iterator = body[Symbol.asyncIterator]();
      for (;;) {
        const { done } = await iterator.next();
        if (done === true) break;
        clock.advance(0.9 * timeoutMsecs);
      }
    },
    reports: 0,
  },
  {
    what: "that is begun late, but in time",
    use: async ({ body }, clock) => {
      clock.advance(timeoutMsecs - 1);
      await body.text();
    },
    reports: 0,
  },
  {
    what: "whose client is destroyed",
    use: (response, _, client) => {
      client.destroy();
      return response;
    },
    reports: 0,
  },
];

for (const { what, path = "large", use, reports } of situations) {
  test(`a body ${what} is reported ${reports === 0 ? "never" : "once"}`, async (t) => {
    const warned = warnings(t);
    const server = await largeServer(t);
    const { client, clock } = clockedClient(t);
    const response = await client.request(`${server.origin}/${path}`);
    const held = await use(response, clock, client);
    await settle();
    clock.advance(timeoutMsecs - 1);
    assert.equal(warned.length, 0, "too early");
    clock.advance(1);
    assert.equal(warned.length, reports);
    clock.advance(10 * timeoutMsecs);
    assert.equal(warned.length, reports, "reported again");
    assert.deepEqual(statsOf(client).leaked, { reported: reports, collected: 0 });
    assert.notEqual(held, null);
  });
}

test("an aborted request is not reported", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const stop = new AbortController();
  const response = await client.request(server.origin, { signal: stop.signal });
  stop.abort();
  clock.advance(10 * timeoutMsecs);
  assert.equal(warned.length, 0);
  assert.equal(response.body.used, false);
});

test("the report says what, where and what to do, and names the caller's line first", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const response = await askForLarge(client, server.origin);
  await until(() => {
    clock.advance(1);
    return warned.length > 0;
  });
  const { message, type, code, detail } = warned[0] as Warned;
  assert.match(
    message,
    new RegExp(
      `^the body of a response to GET ${server.origin} \\(service default, lane default\\) has not been read for ` +
        `1000 ms; \\d+ bytes of it wait, and connection ${response.connection.id} cannot be used by ` +
        "others: read it, or call body\\.dump\\(\\)$",
    ),
  );
  assert.deepEqual({ type, code }, { type: "KeeplineWarning", code: "KEEPLINE_LEAK" });
  const [introduction, first] = detail.split("\n");
  assert.equal(introduction, "The request was made here:");
  assert.match(first ?? "", /^ {4}at askForLarge \(.*leaks\.test\.[jt]s:\d+:\d+\)$/);
});

test("the report is a warning of the process, and the client's time is all that it needs", async (t) => {
  const server = await largeServer(t);
  const client = makeClient(t, { leakTimeoutMsecs: 20 });
  const warning = once(process, "warning");
  const response = await client.request(server.origin);
  const [{ name, code, detail }] = await warning;
  assert.deepEqual({ name, code }, { name: "KeeplineWarning", code: "KEEPLINE_LEAK" });
  assert.match(detail, /leaks\.test/);
  assert.equal((await response.body.bytes()).length, largeBytes);
});

test("a body that is read after the report arrives whole, and its connection is used again", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t, { maxSockets: 1, keepAliveMsecs: 60_000 });
  const { body } = await client.request(server.origin);
  clock.advance(timeoutMsecs);
  assert.equal(warned.length, 1);
  assert.equal(statsOf(client).sockets.busy, 1, "a report closes nothing");
  assert.equal((await body.bytes()).length, largeBytes);
  assert.deepEqual(closedReasons(client), {});
  const next = await client.request(`${server.origin}/small`);
  assert.equal(next.connection.requestCount, 2);
  // Each response is looked at for itself.
  const another = await client.request(server.origin);
  clock.advance(timeoutMsecs);
  assert.equal(warned.length, 2);
  await another.body.dump();
});

test("a reader that waits for the server is not reported, whatever it has read before", async (t) => {
  const warned = warnings(t);
  const server = await rawServer(t, begins(100));
  const { client, clock } = clockedClient(t);
  const { body } = await client.request(server.origin);
  const iterator = body[Symbol.asyncIterator]();
  const connection = await server.connection(0);
  for (let count = 0; count < 3; count++) {
    const next = iterator.next();
    clock.advance(5 * timeoutMsecs);
    await connection.send("x");
    await next;
    // Its turn, but there is nothing to read.
    clock.advance(5 * timeoutMsecs);
  }
  assert.equal(warned.length, 0);
  // From when something waits for it, it has as long as anybody.
  const { bytesRead } = connection.socket;
  assert.ok(bytesRead > 0);
  await connection.send("y");
  await settle();
  clock.advance(timeoutMsecs - 1);
  assert.equal(warned.length, 0);
  clock.advance(1);
  assert.equal(warned.length, 1);
  assert.match(warned[0]?.message ?? "", /for 1000 ms; 1 bytes of it wait/);
});

test("a server that sends a little from time to time does not put the report off", async (t) => {
  const warned = warnings(t);
  const server = await rawServer(t, begins(100));
  const { client, clock } = clockedClient(t);
  const response = await client.request(server.origin);
  const connection = await server.connection(0);
  for (let count = 1; count <= 4; count++) {
    await connection.send("x");
    await settle();
    clock.advance(timeoutMsecs / 4);
    assert.equal(warned.length, count < 4 ? 0 : 1);
  }
  assert.equal(response.body.used, false);
});

test("a consumer that pauses between two pieces is reported from the pause on", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const { body } = await client.request(server.origin);
  const iterator = body[Symbol.asyncIterator]();
  for (let count = 0; count < 5; count++) {
    await iterator.next();
    await settle();
    clock.advance(0.9 * timeoutMsecs);
  }
  assert.equal(warned.length, 0);
  clock.advance(0.1 * timeoutMsecs);
  assert.match(warned[0]?.message ?? "", /has not been read for 1000 ms/);
});

test("where bodies arrive with their heads requests are no longer noted, until one does not", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t, { keepAliveMsecs: Number.POSITIVE_INFINITY });
  for (let count = 0; count < 16; count++) await client.request(`${server.origin}/small`);
  for (const stack of [/was not noted/, /askForLarge/]) {
    const { body } = await askForLarge(client, server.origin);
    clock.advance(timeoutMsecs);
    assert.match(warned.at(-1)?.detail ?? "", stack);
    await body.dump();
  }
  for (let count = 0; count < 1_000; count++) await client.request(`${server.origin}/small`);
  const { body } = await askForLarge(client, server.origin);
  clock.advance(timeoutMsecs);
  assert.match(warned.at(-1)?.detail ?? "", /was not noted/);
  await body.dump();
});

test("a program whose stacks are cut off, or no text, is told all the same", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = 0;
  const cutOff = client.request(server.origin);
  Error.stackTraceLimit = stackTraceLimit;
  const noText = client.request(server.origin);
  const held = await Promise.all([cutOff, noText]);
  Error.prepareStackTrace = (_, frames) => frames;
  try {
    clock.advance(timeoutMsecs);
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
  assert.equal(warned.length, 2);
  for (const { detail } of warned) assert.match(detail, /was not noted/);
  for (const { body } of held) await body.dump();
});

test("configure sets the timeout of responses that come later", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t, { leakTimeoutMsecs: Number.POSITIVE_INFINITY });
  const first = await client.request(server.origin);
  client.configure({ leakTimeoutMsecs: timeoutMsecs });
  const second = await client.request(server.origin);
  client.configure({ leakTimeoutMsecs: Number.POSITIVE_INFINITY });
  clock.advance(100 * timeoutMsecs);
  assert.equal(warned.length, 1);
  assert.match(warned[0]?.message ?? "", new RegExp(`connection ${second.connection.id} `));
  for (const { body } of [first, second]) await body.dump();
});

async function drain(body: ResponseBody): Promise<void> {
  for await (const _ of body);
}

/** Lets everything happen that is on its way between two sockets of this process. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

/** Collects garbage, turn by turn, until `condition` holds. */
async function untilCollected(condition: () => boolean): Promise<void> {
  await until(() => {
    collectGarbage();
    return condition();
  }, `collected: ${condition}`);
}

/** As much garbage collection as has given back every connection in the tests that wait for it. */
async function collectMuch(): Promise<void> {
  for (let count = 0; count < 10; count++) {
    collectGarbage();
    await settle();
  }
}

/** What was dropped is garbage only when no frame of the test can hold it: hence functions of their own. */
type Drop = (client: Client, origin: string) => Promise<unknown>;

const drops: readonly { readonly what: string; readonly drop: Drop }[] = [
  {
    what: "that the program has not looked at",
    drop: async (client, origin) => void (await client.request(origin)),
  },
  {
    what: "whose promise was dropped",
    drop: async (client, origin) => {
      void client.request(origin);
      await until(() => statsOf(client).timings.firstByte.count > 0);
    },
  },
  {
    what: "whose status code was enough",
    drop: async (client, origin) => (await client.request(origin)).statusCode,
  },
  {
    what: "of which some was read",
    drop: async (client, origin) => {
      const iterator = (await client.request(origin)).body[Symbol.asyncIterator]();
      for (let count = 0; count < 3; count++) await iterator.next();
    },
  },
  {
    what: "of which a callback took one piece",
    drop: (client, origin) =>
      new Promise((resolve) => {
        void client.request(origin).then(({ body }) => {
          void body[Symbol.asyncIterator]().next().then(resolve);
        });
      }),
  },
  {
    what: "whose loop waits for what never comes",
    drop: async (client, origin) => {
      const { body } = await client.request(origin);
      await new Promise((resolve) => {
        const reading = async (): Promise<void> => {
          for await (const piece of body) {
            resolve(piece);
            await new Promise(() => {});
          }
        };
        void reading();
      });
    },
  },
  {
    what: "whose stream goes nowhere",
    drop: async (client, origin) => void (await client.request(origin)).body.toReadable(),
  },
  {
    what: "whose stream was paused",
    drop: async (client, origin) => {
      const stream = (await client.request(origin)).body.toReadable();
      await new Promise((resolve) => stream.on("data", () => resolve(stream.pause())));
    },
  },
  {
    what: "that the caller's own functions can reach",
    drop: async (client, origin) => {
      let response: ClientResponse | null = null;
      // It is on the stack of the request, and its scope has the response.
      const call = async (): Promise<() => unknown> => {
        response = await client.request(origin);
        return () => response;
      };
      await call();
    },
  },
];

for (const { what, drop } of drops) {
  test(`a body ${what} gives its connection to the next request when it is collected`, async (t) => {
    const warned = warnings(t);
    const server = await largeServer(t);
    const { client, clock } = clockedClient(t, { maxSockets: 1 });
    await drop(client, server.origin);
    const next = client.request(`${server.origin}/small`);
    assert.equal(statsOf(client).pending, 1);
    clock.advance(unwatchedMsecs);
    await untilCollected(() => statsOf(client).leaked.collected === 1);
    assert.equal((await next).statusCode, 200);
    assert.deepEqual(closedReasons(client), { "body-collected": 1 });
    assert.deepEqual(statsOf(client).sockets, { open: 1, idle: 1, busy: 0, dialing: 0 });
    clock.advance(2 * timeoutMsecs);
    assert.equal(warned.length, 0);
    assert.deepEqual(statsOf(client).leaked, { reported: 0, collected: 1 });
    assert.equal(statsOf(client).failed, 0);
  });
}

test("a body that was reported, and then dropped, gives its connection back", async (t) => {
  const warned = warnings(t);
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const report = async (): Promise<void> => {
    const response = await client.request(server.origin);
    clock.advance(timeoutMsecs);
    assert.equal(response.body.used, false);
  };
  await report();
  assert.equal(warned.length, 1);
  await untilCollected(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(statsOf(client).leaked, { reported: 1, collected: 1 });
});

test("close() waits for a body that was dropped no longer than until it is collected", async (t) => {
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  await (async () => void (await client.request(server.origin)))();
  clock.advance(unwatchedMsecs);
  let isClosed = false;
  const closing = client.close().then(() => {
    isClosed = true;
  });
  await untilCollected(() => isClosed);
  await closing;
  assert.equal(statsOf(client).leaked.collected, 1);
});

test("a body that was dropped is collected also where none is reported", async (t) => {
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t, { leakTimeoutMsecs: Number.POSITIVE_INFINITY });
  await (async () => void (await client.request(server.origin)))();
  clock.advance(1_000);
  await untilCollected(() => statsOf(client).sockets.open === 0);
  assert.deepEqual(closedReasons(client), { "body-collected": 1 });
});

test("a dropped body that goes on in drops has a second all the same", async (t) => {
  let drip = async (): Promise<void> => {};
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    drip = () => connection.send("x");
  });
  const { client, clock } = clockedClient(t);
  const ref = await (async () => new WeakRef((await client.request(server.origin)).body))();
  clock.advance(unwatchedMsecs);
  await untilCollected(() => ref.deref() === undefined);
  await collectMuch();
  for (let count = 0; count < 4; count++) {
    clock.advance(300);
    await drip();
    await settle();
  }
  assert.deepEqual(closedReasons(client), { "body-collected": 1 });
});

test("a body that was read to its end, or given up, counts for nothing when it is collected", async (t) => {
  const server = await largeServer(t);
  const { client, clock } = clockedClient(t);
  const read = async (use: (body: ResponseBody) => unknown): Promise<WeakRef<ResponseBody>> => {
    const { body } = await client.request(server.origin);
    clock.advance(unwatchedMsecs);
    await use(body);
    return new WeakRef(body);
  };
  for (const use of [
    (body: ResponseBody) => body.text(),
    (body: ResponseBody) => drain(body),
    (body: ResponseBody) => body.dump({ maxBytes: largeBytes }),
    (body: ResponseBody) => body.dump({ maxBytes: 1 }),
  ]) {
    const ref = await read(use);
    await untilCollected(() => ref.deref() === undefined);
  }
  await collectMuch();
  assert.deepEqual(statsOf(client).leaked, { reported: 0, collected: 0 });
  assert.deepEqual(closedReasons(client), { "body-unread": 1 });
});

for (const [what, hold] of [
  ["response", (response) => response],
  ["body", ({ body }) => body],
  ["iterator", ({ body }) => body[Symbol.asyncIterator]()],
  ["stream", ({ body }) => body.toReadable()],
] as const satisfies readonly (readonly [string, (response: ClientResponse) => unknown])[]) {
  test(`a program that holds the ${what} alone keeps the connection`, async (t) => {
    const server = await largeServer(t);
    const { client, clock } = clockedClient(t);
    const held: unknown = await (async () => hold(await client.request(server.origin)))();
    clock.advance(unwatchedMsecs);
    await collectMuch();
    assert.equal(statsOf(client).sockets.busy, 1);
    assert.equal(statsOf(client).leaked.collected, 0);
    assert.ok(held);
  });
}

const text = JSON.stringify("x".repeat(98));

/** Each begins to read, and holds nothing but what it returns. */
const readers: readonly {
  readonly what: string;
  readonly read: (body: ResponseBody) => Promise<unknown>;
}[] = [
  { what: "text()", read: (body) => body.text() },
  { what: "json()", read: async (body) => JSON.stringify(await body.json()) },
  { what: "bytes()", read: async (body) => String(Buffer.from(await body.bytes())) },
  { what: "arrayBuffer()", read: async (body) => String(Buffer.from(await body.arrayBuffer())) },
  { what: "blob()", read: async (body) => (await body.blob()).text() },
  { what: "dump()", read: (body) => body.dump().then(() => text) },
  {
    what: "for await",
    read: async (body) => {
      let got = "";
      for await (const piece of body) got += piece;
      return got;
    },
  },
  {
    what: "for await, with something else to wait for in between",
    read: async (body) => {
      let got = "";
      for await (const piece of body) {
        got += piece;
        await settle();
      }
      return got;
    },
  },
  {
    what: "next() with callbacks",
    read: (body) =>
      new Promise((resolve, reject) => {
        let got = "";
        const iterator = body[Symbol.asyncIterator]();
        const take = ({ done, value }: IteratorResult<Buffer, undefined>): void => {
          got += value ?? "";
          if (done === true) resolve(got);
          else void iterator.next().then(take, reject);
        };
        void iterator.next().then(take, reject);
      }),
  },
  { what: "toReadable() with pipe", read: (body) => piped(body.toReadable()) },
  {
    what: "toReadable() with events",
    read: (body) =>
      new Promise((resolve, reject) => {
        let got = "";
        const stream = body.toReadable();
        stream.on("data", (piece) => {
          got += piece;
        });
        stream.on("end", () => resolve(got));
        stream.on("error", reject);
      }),
  },
];

/** What comes out of a pipe. */
function piped(stream: Readable): Promise<unknown> {
  const sink = stream.pipe(new PassThrough());
  return new Promise((resolve) => {
    let got = "";
    sink.on("data", (piece) => {
      got += piece;
    });
    sink.on("end", () => resolve(got));
  });
}

for (const { what, read } of readers) {
  test(`garbage collection takes no body away that ${what} reads`, async (t) => {
    const server = await rawServer(t, begins(text.length, text.slice(0, 10)));
    const { client, clock } = clockedClient(t);
    const reading = (async () => read((await client.request(server.origin)).body))();
    const connection = await server.connection(0);
    for (let at = 10; at < text.length; at += 30) {
      await settle();
      clock.advance(unwatchedMsecs);
      await collectMuch();
      assert.equal(statsOf(client).sockets.busy, 1);
      await connection.send(text.slice(at, at + 30));
    }
    assert.equal(await reading, text);
    assert.deepEqual(statsOf(client).leaked, { reported: 0, collected: 0 });
    assert.equal(statsOf(client).sockets.idle, 1);
  });
}

test("one piece that a callback waits for arrives, though nobody can ask for another", async (t) => {
  warnings(t);
  const server = await rawServer(t, begins(100));
  const { client, clock } = clockedClient(t);
  const pieces: string[] = [];
  await (async () => {
    const iterator = (await client.request(server.origin)).body[Symbol.asyncIterator]();
    void iterator.next().then(({ value }) => pieces.push(String(value)));
  })();
  clock.advance(unwatchedMsecs);
  await collectMuch();
  assert.equal(statsOf(client).sockets.busy, 1);
  await (await server.connection(0)).send("piece");
  // It has a second to end by itself.
  await untilCollected(() => {
    clock.advance(100);
    return statsOf(client).sockets.open === 0;
  });
  assert.deepEqual(pieces, ["piece"]);
  assert.deepEqual(closedReasons(client), { "body-collected": 1 });
});

test("a body that was dropped and ends by itself within a second leaves its connection usable", async (t) => {
  const server = await rawServer(t, begins(100));
  const { client, clock } = clockedClient(t, { leakTimeoutMsecs: 60_000 });
  await (async () => void (await client.request(server.origin)))();
  clock.advance(1_000);
  await collectMuch();
  clock.advance(900);
  assert.equal(statsOf(client).sockets.busy, 1);
  await (await server.connection(0)).send("x".repeat(100));
  await until(() => statsOf(client).sockets.idle === 1);
  clock.advance(1_000);
  assert.deepEqual(closedReasons(client), {});
  assert.equal(statsOf(client).leaked.collected, 0);
});

test("a read that nobody waits for ends all the same, and frees its connection", async (t) => {
  const server = await rawServer(t, begins(100));
  const { client, clock } = clockedClient(t);
  await (async () => void (await client.request(server.origin)).body.text())();
  clock.advance(unwatchedMsecs);
  await collectMuch();
  assert.equal(statsOf(client).sockets.busy, 1);
  await (await server.connection(0)).send("x".repeat(100));
  await until(() => statsOf(client).sockets.idle === 1);
  assert.equal(statsOf(client).leaked.collected, 0);
});

test("2,000 large responses that were dropped leave nothing behind", async (t) => {
  const body = Buffer.alloc(200_000);
  const server = await httpServer(t, (_, response) => response.end(body));
  const { client, clock } = clockedClient(t, { maxSockets: 100 });
  const warned = warnings(t);
  const rounds = 20;
  let before = 0;
  for (let round = 1; round <= rounds; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async () => void (await client.request(server.origin))),
    );
    clock.advance(unwatchedMsecs);
    await untilCollected(() => statsOf(client).sockets.open === 0 && server.openCount === 0);
    // The first rounds fill caches, such as the compiled code's.
    if (round === 3) before = await usedBytes();
  }
  const grown = (await usedBytes()) - before;
  t.diagnostic(`${grown} bytes more`);
  // 64 KiB of each would be 100 MB, and a kilobyte of each 1.7 MB.
  assert.ok(grown < 1_500_000, `${grown} bytes more than after the first rounds`);
  clock.advance(10 * timeoutMsecs);
  assert.equal(warned.length, 0);
  const { leaked, closed, requests }: OriginStats = statsOf(client);
  assert.deepEqual(leaked, { reported: 0, collected: 2_000 });
  assert.equal(closed["body-collected"], 2_000);
  assert.equal(requests, 2_000);
});

async function usedBytes(): Promise<number> {
  await collectMuch();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
