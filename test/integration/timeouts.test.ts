/**
 * Every timeout in every phase of a request: the right error with its evidence, the connection retired,
 * its permit free, the next request served. Durations are short and real; a test that waits for one waits
 * for its error, and nothing asserts how soon a timeout comes, only that it never comes early.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BodyInput,
  BodyTimeoutError,
  type Client,
  ConnectError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  QueueTimeoutError,
  type RequestOptions,
  RequestTimeoutError,
  type RetireReason,
} from "../../src/index.ts";
import { closedReasons, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import {
  certificate,
  holdingServer,
  outcomeOf,
  plainServer,
  tlsServer,
} from "../support/loopback.ts";
import { ok, type RawConnection, rawServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

/** What a server does with a connection whose request is to time out. */
type Misbehaviour = (connection: RawConnection) => Promise<void>;

const answersNothing: Misbehaviour = async (connection) => {
  await connection.request();
  await connection.gone();
};
const beginsItsHead: Misbehaviour = async (connection) => {
  await connection.request();
  await connection.send("HTTP/1.1 200 OK\r\ncontent-le");
  await connection.gone();
};
const sendsOnlyInterimHeads: Misbehaviour = async (connection) => {
  await connection.request();
  await connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  await connection.gone();
};
const stopsInItsBody: Misbehaviour = async (connection) => {
  await connection.request();
  await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789");
  await connection.gone();
};
const stopsInAChunk: Misbehaviour = async (connection) => {
  await connection.request();
  await connection.send(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\nff\r\n012345",
  );
  await connection.gone();
};
const readsNothing: Misbehaviour = async (connection) => {
  connection.socket.pause();
  await connection.gone();
};

/** More than the kernel's buffers hold. */
const large = Buffer.alloc(16_000_000, "x");
async function* endless() {
  for (;;) yield large.subarray(0, 100_000);
}
const posts = (body: BodyInput): RequestOptions => ({ method: "POST", body });

/** The first connection misbehaves, those after it do not. */
async function misbehavingServer(t: TestContext, misbehaviour: Misbehaviour) {
  return await rawServer(t, async (connection) => {
    if (connection.index === 0) await misbehaviour(connection);
    else {
      for (;;) {
        await connection.request();
        await connection.send(ok("fine"));
      }
    }
  });
}

/** The timed-out connection is gone, its permit free, and the next request gets another one. */
async function assertRecovered(client: Client, url: string, reason: RetireReason): Promise<void> {
  assert.equal(closedReasons(client)[reason], 1);
  assert.equal(statsOf(client).sockets.open, 0);
  assert.equal(statsOf(client).failed, 1);
  // The client's own timeouts are too short for a server that is only slow because the machine is.
  const patient = {
    headersTimeoutMsecs: 60_000,
    bodyTimeoutMsecs: 60_000,
    requestTimeoutMsecs: 60_000,
  };
  assert.equal(await outcomeOf(client.request(url, patient)), 200);
  assert.equal(statsOf(client).sockets.idle, 1);
}

const msecs = 60;

type TimeoutError = HeadersTimeoutError | BodyTimeoutError | RequestTimeoutError;

interface Case {
  readonly what: string;
  readonly server: Misbehaviour;
  /** One of them. */
  readonly timeouts: Readonly<Record<string, number>>;
  readonly options?: () => RequestOptions;
  readonly kind: typeof HeadersTimeoutError | typeof BodyTimeoutError | typeof RequestTimeoutError;
  readonly message: RegExp;
}

const cases: readonly Case[] = [
  {
    what: "a server that answers nothing meets the headers timeout",
    server: answersNothing,
    timeouts: { headersTimeoutMsecs: msecs },
    kind: HeadersTimeoutError,
    message: /^http:\/\/127\.0\.0\.1:\d+ sent no response head within 60 ms$/,
  },
  {
    what: "a server that stops in its head meets the headers timeout",
    server: beginsItsHead,
    timeouts: { headersTimeoutMsecs: msecs },
    kind: HeadersTimeoutError,
    message: /sent no response head within 60 ms$/,
  },
  {
    what: "a server that sends interim responses only meets the headers timeout",
    server: sendsOnlyInterimHeads,
    timeouts: { headersTimeoutMsecs: msecs },
    kind: HeadersTimeoutError,
    message: /sent no response head within 60 ms$/,
  },
  {
    what: "a server that answers nothing to a body meets the headers timeout",
    server: answersNothing,
    timeouts: { headersTimeoutMsecs: msecs },
    options: () => posts(new Blob(["x".repeat(200_000)])),
    kind: HeadersTimeoutError,
    message: /sent no response head within 60 ms$/,
  },
  {
    what: "a server that stops in its body meets the body timeout",
    server: stopsInItsBody,
    timeouts: { bodyTimeoutMsecs: msecs },
    kind: BodyTimeoutError,
    message:
      /^the response body of http:\/\/127\.0\.0\.1:\d+ stood still for 60 ms after 10 bytes$/,
  },
  {
    what: "a server that stops in a chunk meets the body timeout",
    server: stopsInAChunk,
    timeouts: { bodyTimeoutMsecs: msecs },
    kind: BodyTimeoutError,
    message: /stood still for 60 ms after 10 bytes$/,
  },
  ...(
    [
      ["a stream", () => posts(endless())],
      ["a stream of known length", () => posts(new Blob([large]))],
      ["bytes", () => posts(large)],
      ["ASCII text", () => posts(large.toString("latin1"))],
      ["other text", () => posts("é".repeat(8_000_000))],
      ["JSON", () => ({ method: "POST", json: large.toString("latin1") })],
    ] as const
  ).map(
    ([what, options]): Case => ({
      what: `a server that reads nothing of ${what} meets the body timeout`,
      server: readsNothing,
      timeouts: { bodyTimeoutMsecs: msecs },
      options,
      kind: BodyTimeoutError,
      message:
        /read nothing of the request body for 60 ms after \d{5,8} bytes were handed to the socket$/,
    }),
  ),
  {
    what: "the request timeout ends a request that is being sent",
    server: readsNothing,
    timeouts: { requestTimeoutMsecs: msecs },
    options: () => posts(endless()),
    kind: RequestTimeoutError,
    message:
      /^the request to http:\/\/127\.0\.0\.1:\d+ took longer than 60 ms \(it was being sent\)$/,
  },
  {
    what: "the request timeout ends a request that waits for its response",
    server: answersNothing,
    timeouts: { requestTimeoutMsecs: msecs },
    kind: RequestTimeoutError,
    message: /took longer than 60 ms \(it was waiting for the response head\)$/,
  },
  {
    what: "the request timeout ends a request that waits for 100 Continue",
    server: async (connection) => {
      await connection.head();
      await connection.gone();
    },
    timeouts: { requestTimeoutMsecs: msecs },
    options: () => ({ ...posts("x"), headers: { expect: "100-continue" } }),
    kind: RequestTimeoutError,
    message: /took longer than 60 ms \(it was being sent\)$/,
  },
  {
    what: "the request timeout ends a response that is being read",
    server: stopsInItsBody,
    // Long enough for the head to arrive on a busy machine.
    timeouts: { requestTimeoutMsecs: 400 },
    kind: RequestTimeoutError,
    message: /took longer than 400 ms \(it was receiving the response body\)$/,
  },
];

for (const { what, server: misbehaviour, timeouts, options, kind, message } of cases) {
  test(`${what}; its connection is retired and the next request is served`, async (t) => {
    const server = await misbehavingServer(t, misbehaviour);
    // The connection is there before the clock starts: how long a dial takes is not the question here.
    const client = makeClient(t, { ...timeouts, maxSockets: 1 });
    await client.warm(server.origin, 1);
    const startedAt = performance.now();
    const read = async () => {
      const { body } = await client.request(server.origin, options?.());
      await body.text();
    };
    const error = await rejection<TimeoutError>(read(), kind);
    assert.deepEqual([error.timeoutMsecs], Object.values(timeouts));
    assert(performance.now() - startedAt >= error.timeoutMsecs, "the timeout came early");
    assert.match(error.message, message);
    assert.equal(error.requestSent, true);
    assert.equal(error.origin, server.origin);
    assert.deepEqual([error.service, error.lane], ["default", "default"]);
    await assertRecovered(client, server.origin, "timed-out");
    const first = await server.connection(0);
    first.socket.resume();
    await first.gone();
  });
}

test("a request that waits too long for a busy socket says how many were open and waited", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 2, queueTimeoutMsecs: msecs });
  const never = { queueTimeoutMsecs: Number.POSITIVE_INFINITY };
  const holders = [1, 2].map(() => outcomeOf(client.request(server.origin, never)));
  const held = [await server.next(), await server.next()];
  const third = outcomeOf(client.request(server.origin, never));
  const startedAt = performance.now();
  const error = await rejection(client.request(server.origin), QueueTimeoutError);
  assert(performance.now() - startedAt >= msecs, "the timeout came early");
  assert.match(
    error.message,
    /^no socket to http:\/\/127\.0\.0\.1:\d+ became free in \d+ ms \(open 2\/2 maxSockets, pending 2\)$/,
  );
  assert(error.waitedMsecs >= msecs);
  assert.equal(error.requestSent, false);
  assert.equal(statsOf(client).lanes.default?.timedOut, 1);
  assert.equal(statsOf(client).pending, 1);
  for (const { response } of held) response.end();
  (await server.next()).response.end();
  assert.deepEqual(await Promise.all([...holders, third]), [200, 200, 200]);
  assert.deepEqual(closedReasons(client), {});
});

test("a queue timeout names the total limit when that is what was met", async (t) => {
  const [one, other] = [await holdingServer(t), await plainServer(t)];
  const client = makeClient(t, { maxTotalSockets: 1 });
  const holder = outcomeOf(client.request(one.origin));
  const { response } = await one.next();
  const error = await rejection(
    client.request(other.origin, { queueTimeoutMsecs: 20 }),
    QueueTimeoutError,
  );
  assert.match(error.message, /\(open 1\/1 maxTotalSockets, pending 1\)$/);
  response.end();
  await holder;
});

test("a queue timeout says with what the last dial failed", async (t) => {
  let lookups = 0;
  const noName = new Error("no such name");
  const client = makeClient(t, {
    connect: {
      lookup: (_, __, callback) => {
        if (lookups++ === 0) callback(noName, "");
      },
    },
  });
  const url = "http://service.example";
  const first = await rejection(client.request(url), ConnectError);
  assert.equal(first.cause, noName);
  const second = await rejection(client.request(url, { queueTimeoutMsecs: 20 }), QueueTimeoutError);
  assert.equal(second.cause, noName);
});

test("waiting for a dial counts as waiting: the dial goes on, and serves the next request", async (t) => {
  const server = await plainServer(t);
  let answer = () => {};
  const client = makeClient(t, {
    connect: {
      lookup: (_, __, callback) => {
        answer = () => callback(null, [{ address: "127.0.0.1", family: 4 }]);
      },
    },
  });
  const url = `http://service.example:${server.port}`;
  await rejection(client.request(url, { queueTimeoutMsecs: 20 }), QueueTimeoutError);
  assert.equal(statsOf(client).sockets.dialing, 1);
  const next = client.request(url);
  answer();
  assert.equal((await next).statusCode, 200);
  assert.equal(server.connectionCount, 1);
});

test("a lookup that never ends is a connect timeout", async (t) => {
  const server = await plainServer(t);
  let isStuck = true;
  const client = makeClient(t, {
    maxSockets: 1,
    connectTimeoutMsecs: msecs,
    connect: {
      lookup: (_, __, callback) => {
        if (!isStuck) callback(null, [{ address: "127.0.0.1", family: 4 }]);
      },
    },
  });
  const url = `http://service.example:${server.port}`;
  const startedAt = performance.now();
  const error = await rejection(client.request(url), ConnectTimeoutError);
  assert(performance.now() - startedAt >= msecs, "the timeout came early");
  assert.equal(error.message, `connecting to ${url} took longer than 60 ms`);
  assert.equal(error.timeoutMsecs, msecs);
  assert.equal(error.requestSent, false);
  isStuck = false;
  client.configure({ connectTimeoutMsecs: 60_000 });
  await assertRecovered(client, url, "connect-timeout");
});

test("a TLS handshake that the server never answers is a connect timeout", async (t) => {
  const mute = await rawServer(t, (connection) => connection.gone());
  const url = `https://127.0.0.1:${mute.port}`;
  const client = makeClient(t, { connectTimeoutMsecs: msecs });
  const error = await rejection(client.request(url), ConnectTimeoutError);
  assert.equal(error.origin, url);
  assert.deepEqual(closedReasons(client), { "connect-timeout": 1 });
  await (await mute.connection(0)).gone();
  assert.equal(statsOf(client).sockets.open, 0);
});

test("the request timeout ends a request that waits for a socket, and counts as a failure", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, { maxSockets: 1 });
  const holder = outcomeOf(client.request(server.origin));
  const held = await server.next();
  const request = client.request(server.origin, { requestTimeoutMsecs: 30 });
  const error = await rejection(request, RequestTimeoutError);
  assert.match(error.message, /took longer than 30 ms \(it was waiting for a socket\)$/);
  assert.equal(error.requestSent, false);
  assert.equal(statsOf(client).failed, 1);
  assert.equal(statsOf(client).pending, 0);
  held.response.end();
  assert.equal(await holder, 200);
});

test("the shorter of two timeouts ends a request, whichever it is", async (t) => {
  const server = await rawServer(t, answersNothing);
  const client = makeClient(t);
  const never = Number.POSITIVE_INFINITY;
  const orders = [
    [20, never, HeadersTimeoutError],
    [20, 60_000, HeadersTimeoutError],
    [60_000, 20, RequestTimeoutError],
    [never, 20, RequestTimeoutError],
  ] as const;
  for (const [headersTimeoutMsecs, requestTimeoutMsecs, kind] of orders) {
    const options = { headersTimeoutMsecs, requestTimeoutMsecs };
    await rejection<TimeoutError>(client.request(server.origin, options), kind);
  }
});

test("each piece of a response starts the body's clock anew", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n");
    for (let count = 0; count < 8; count++) {
      await sleep(60);
      await connection.send("x");
    }
  });
  const client = makeClient(t, { bodyTimeoutMsecs: 350 });
  const { body } = await client.request(server.origin);
  assert.equal(await body.text(), "xxxxxxxx");
});

test("a response that ends in time leaves no clock running: reading it late is no timeout", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { bodyTimeoutMsecs: 20, requestTimeoutMsecs: 60_000 });
  const { body } = await client.request(server.origin);
  await sleep(60);
  assert.equal(await body.text(), "ok");
  assert.equal(statsOf(client).sockets.idle, 1);
});

for (const way of ["not at all", "one piece"] as const) {
  test(`a program that reads ${way} for long is no silence of the server`, async (t) => {
    const server = await plainServer(t, (_, response) => response.end(large));
    const client = makeClient(t, { bodyTimeoutMsecs: 40 });
    const { body } = await client.request(server.origin);
    const pieces = body[Symbol.asyncIterator]();
    let bytes = 0;
    const count = (result: IteratorResult<Buffer, undefined>) => {
      bytes += result.value?.length ?? 0;
      return result.done === true;
    };
    if (way === "one piece") count(await pieces.next());
    // The server fills the kernel's buffers and then cannot send.
    await sleep(150);
    while (!count(await pieces.next())) {
      // Reads on.
    }
    assert.equal(bytes, large.length);
  });
}

test("the clock of a body goes on when the program reads on", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n");
    await connection.send(Buffer.alloc(100_000));
    await connection.gone();
  });
  const client = makeClient(t, { bodyTimeoutMsecs: 40 });
  const { body } = await client.request(server.origin);
  await sleep(100);
  const error = await rejection(body.bytes(), BodyTimeoutError);
  assert.match(error.message, /stood still for 40 ms after 100000 bytes$/);
});

test("a server that reads slowly is no server that does not read or answer", async (t) => {
  // 80 rests of 10 ms or more; the kernel holds what goes out in a few of them, so the last byte has
  // been handed over long after either timeout and shortly before the response.
  const body = Buffer.alloc(48_000_000);
  const restBytes = body.length / 80;
  const server = await plainServer(t, (request, response) => {
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      const rests = Math.floor(bytes / restBytes);
      bytes += piece.length;
      if (Math.floor(bytes / restBytes) === rests) return;
      request.pause();
      setTimeout(() => request.resume(), 10);
    });
    request.on("end", () => response.end(String(bytes)));
  });
  const client = makeClient(t, { bodyTimeoutMsecs: 500, headersTimeoutMsecs: 500 });
  const startedAt = performance.now();
  const response = await client.request(server.origin, posts(body));
  assert.equal(await response.body.text(), String(body.length));
  assert(performance.now() - startedAt > 700, "too fast to prove anything");
});

test("no clock runs while the program makes the next piece of its body", async (t) => {
  const server = await plainServer(t);
  const client = makeClient(t, { bodyTimeoutMsecs: 500 });
  // Enough for the socket to be full at times, and to be empty again.
  const piece = Buffer.alloc(1_000_000);
  async function* slowly() {
    yield piece;
    await sleep(800);
    yield piece;
  }
  assert.equal(await outcomeOf(client.request(server.origin, posts(slowly()))), 200);
});

test("no timeout of a request that is over counts as a failure, or ends what comes after it", async (t) => {
  const server = await plainServer(t);
  const options = { requestTimeoutMsecs: 200, headersTimeoutMsecs: 200, bodyTimeoutMsecs: 200 };
  const client = makeClient(t, { ...options, queueTimeoutMsecs: 200 });
  assert.equal(await outcomeOf(client.request(server.origin)), 200);
  const never = Number.POSITIVE_INFINITY;
  const { body } = await client.request(server.origin, {
    requestTimeoutMsecs: never,
    bodyTimeoutMsecs: never,
  });
  await sleep(300);
  assert.equal(await body.text(), "ok");
  assert.deepEqual([statsOf(client).failed, closedReasons(client)], [0, {}]);
});

test("what stood still is said of the response when it came before its request was sent", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    await connection.gone();
  });
  async function* endlessly() {
    for (;;) {
      yield large.subarray(0, 200_000);
      await sleep(1);
    }
  }
  const client = makeClient(t, { bodyTimeoutMsecs: 100 });
  const { body } = await client.request(server.origin, posts(endlessly()));
  const error = await rejection(body.text(), BodyTimeoutError);
  assert.match(error.message, /^the response body of .* stood still for 100 ms after 3 bytes$/);
});

test("a timeout over TLS retires its connection as well", async (t) => {
  let isMute = true;
  const { cert, key } = certificate();
  const server = await tlsServer(t, { cert, key }, (_, response) => {
    if (!isMute) response.end("fine");
  });
  const client = makeClient(t, { maxSockets: 1, connect: { tls: { ca: cert } } });
  const options = { headersTimeoutMsecs: msecs };
  await rejection(client.request(server.origin, options), HeadersTimeoutError);
  isMute = false;
  await assertRecovered(client, server.origin, "timed-out");
});

test("timeouts of many requests at once each end their own", async (t) => {
  const server = await rawServer(t, answersNothing);
  const client = makeClient(t);
  const requests = Array.from({ length: 50 }, (_, index) => {
    const options = { headersTimeoutMsecs: 20 + (index % 10) * 5 };
    return rejection(client.request(server.origin, options), HeadersTimeoutError);
  });
  const errors = await Promise.all(requests);
  for (const [index, error] of errors.entries()) {
    assert.equal(error.timeoutMsecs, 20 + (index % 10) * 5);
  }
  assert.deepEqual(closedReasons(client), { "timed-out": 50 });
  await until(() => server.openCount === 0);
});

test("a program ends by itself after every kind of timeout, with its client open", async (t) => {
  const mute = await rawServer(t, (connection) => connection.gone());
  const stopping = await rawServer(t, stopsInItsBody);
  const urls = [mute.origin, stopping.origin, `https://127.0.0.1:${mute.port}`];
  const child = spawn(process.execPath, [programFile("timeouts.mjs"), ...urls], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  // One that does not end by itself is shown with what it said.
  const tooLong = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const said = [
    "HeadersTimeoutError",
    "BodyTimeoutError",
    "RequestTimeoutError",
    "QueueTimeoutError",
    "RequestTimeoutError",
    "ConnectTimeoutError",
    "done\n",
  ].join("\n");
  let output = "";
  let doneAt = Number.POSITIVE_INFINITY;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.includes("done")) doneAt = performance.now();
  });
  const exit = await once(child, "close");
  clearTimeout(tooLong);
  assert.deepEqual({ exit, output }, { exit: [0, null], output: said });
  // Any timer or dial that was left would have held it for ten seconds at least.
  assert(performance.now() - doneAt < 5_000, "something kept the program alive");
});
