/**
 * Services on real sockets: which origins are whose, what is limited together, what errors and warnings say of
 * it, and the views of one service and lane that parts of a program are given.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  BodyTimeoutError,
  Client,
  ClientClosedError,
  type ClientOptions,
  ConnectError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  InvalidOptionError,
  InvalidRequestError,
  type KeeplineError,
  QueueFullError,
  QueueTimeoutError,
  RequestTimeoutError,
  ResponseParseError,
  SocketClosedError,
} from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { isSettled, makeClient, rejection, statsOf, until } from "../support/client-kit.ts";
import { answerNext, countingServer, makeTally, namesAreLocal } from "../support/lane-kit.ts";
import { holdingServer, outcomeOf, plainServer, statsFor } from "../support/loopback.ts";
import { deadPort, rawServer } from "../support/raw-server.ts";

test("an origin belongs to the service that names it exactly, by a wildcard or by a function", async (t) => {
  const server = await plainServer(t, (request, response) => response.end(request.headers.host));
  const { port, origin } = server;
  const client = makeClient(t, {
    ...namesAreLocal,
    services: {
      exact: { origins: [`${origin}/`, `HTTP://One.Test:${port}`] },
      wild: { origins: `http://*.svc.test:${port}` },
      asked: { origins: (each) => each.startsWith("http://fn-") },
    },
  });
  const expected: Record<string, string> = {
    [origin]: "exact",
    [`http://one.test:${port}`]: "exact",
    [`http://a.svc.test:${port}`]: "wild",
    [`http://b.a.svc.test:${port}`]: "wild",
    [`http://svc.test:${port}`]: "default",
    [`http://a.svc.test.other.test:${port}`]: "default",
    [`http://notsvc.test:${port}`]: "default",
    [`http://fn-1.test:${port}`]: "asked",
    [`http://localhost:${port}`]: "default",
  };
  for (const url of Object.keys(expected)) {
    const { body } = await client.request(`${url}/path`);
    assert.equal(await body.text(), new URL(url).host);
  }
  const { origins, services } = client.stats();
  assert.deepEqual(
    Object.fromEntries(origins.map((each) => [each.origin, each.service])),
    expected,
  );
  assert.deepEqual(
    services.map(({ service, origins }) => [service, origins]),
    [
      ["default", 4],
      ["exact", 2],
      ["wild", 2],
      ["asked", 1],
    ],
  );
});

test("an origin that two services have by their text is refused when the client is made", () => {
  const twice: readonly (readonly [string, ServiceOrigins, ServiceOrigins])[] = [
    ["http://a.test", "http://a.test", "http://a.test:80/"],
    ["http://a.b.test", "http://*.b.test", ["http://c.test", "http://a.b.test"]],
    ["http://*.a.b.test", "http://*.a.b.test", "http://*.b.test"],
    ["http://a.test", () => true, "http://a.test"],
  ];
  for (const [shared, one, other] of twice) {
    const services = { one: { origins: one }, other: { origins: other } };
    assert.throws(
      () => new Client({ services }),
      (error: unknown) => {
        assert(error instanceof InvalidOptionError);
        assert.equal(
          error.message,
          `new Client(): services.other.origins must not have "${shared}", which services.one.origins has`,
        );
        return true;
      },
    );
  }
});

type ServiceOrigins = string | string[] | (() => boolean);

test("an origin that turns out to be in two services is refused when it is used: nothing is sent, no pool is made", async (t) => {
  const server = await plainServer(t);
  const { port, origin } = server;
  const reason = new RangeError("mine");
  const client = makeClient(t, {
    ...namesAreLocal,
    services: {
      even: { origins: (each) => each.includes("both") || each.includes("even") },
      odd: { origins: [(each) => each.includes("both"), `http://*.even.test:${port}`] },
      picky: {
        origins: (each) => {
          if (each.includes("throws")) throw reason;
          return false;
        },
      },
    },
  });
  for (const host of ["both.test", "a.even.test"]) {
    const url = `http://${host}:${port}`;
    const error = await rejection(client.request(url, { body: "x" }), InvalidRequestError);
    assert.equal(
      error.message,
      `${url} is an origin of two services, even and odd: leave it to one of them`,
    );
    assert.deepEqual([error.origin, error.requestSent], [url, false]);
  }
  const thrown = client.request(`http://throws.test:${port}`);
  assert.equal(await thrown.catch((error: unknown) => error), reason);
  assert.deepEqual(client.stats().origins, []);
  assert.equal(server.connectionCount, 0);
  assert.equal(await outcomeOf(client.request(origin)), 200);
  await client.close();
});

test("a warm-up of an origin in two services is refused, and the client can be closed after it", async (t) => {
  const both = { origins: () => true };
  const client = makeClient(t, { services: { one: both, other: both } });
  await rejection(client.warm("http://127.0.0.1", 2), InvalidRequestError);
  assert.deepEqual(client.stats().origins, []);
  assert.equal(await isSettled(client.close()), true, "close() resolves");
});

test("each service holds to its own limits beside the others", async (t) => {
  const servers = [await holdingServer(t), await holdingServer(t), await holdingServer(t)];
  const [one, two, rest] = servers.map(({ origin }) => origin) as [string, string, string];
  const client = makeClient(t, {
    maxSockets: 4,
    services: {
      one: { origins: one, maxSockets: 1 },
      two: { origins: two, maxSockets: 2 },
      default: { maxSockets: 3 },
    },
  });
  const requests = servers.flatMap(({ origin }) =>
    Array.from({ length: 5 }, () => outcomeOf(client.request(origin))),
  );
  await until(() => client.stats().client.sockets.busy === 6);
  const open = [one, two, rest].map((origin) => statsFor(client, origin).sockets.open);
  assert.deepEqual(open, [1, 2, 3]);
  for (const server of servers) await answerNext(server, 5);
  assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
  assert.deepEqual(
    servers.map((each) => each.connectionCount),
    [1, 2, 3],
  );
});

test("maxTotalSockets of a service bounds all its origins together, and no others", async (t) => {
  const tally = makeTally();
  const servers = [];
  for (let count = 0; count < 3; count++) servers.push(await countingServer(t, () => 2, tally));
  const stranger = await holdingServer(t);
  const client = makeClient(t, {
    services: {
      api: {
        origins: servers.map(({ origin }) => origin),
        maxTotalSockets: 4,
        lanes: { bulk: { maxSockets: 3 } },
      },
    },
  });
  const requests = servers.flatMap(({ origin }) =>
    Array.from({ length: 40 }, (_, index) =>
      outcomeOf(client.request(`${origin}/api`, { lane: index % 2 === 0 ? "bulk" : "default" })),
    ),
  );
  // All four are taken, and more wait; what is not of the service does not.
  assert.deepEqual(client.service("api").stats().sockets.open, 4);
  const others = [1, 2, 3, 4, 5].map(() => outcomeOf(client.request(stranger.origin)));
  assert.equal(statsFor(client, stranger.origin).sockets.open, 5);
  await answerNext(stranger, 5);
  assert.deepEqual(new Set(await Promise.all([...requests, ...others])), new Set([200]));
  assert.equal(tally.most(), 4);
  assert.equal(tally.arrived.length, 120);
  const { highWater, maxTotalSockets } = client.service("api").stats();
  assert.deepEqual([highWater.open, maxTotalSockets], [4, 4]);
});

/** Brings about an error in lane `bulk` of service `api`. */
interface Failure {
  readonly kind: abstract new (...args: never) => KeeplineError;
  /** Options of the service; what the server does, by default nothing. */
  readonly options?: ClientOptions;
  readonly answer?: string;
  readonly closes?: boolean;
  /** What happens beside it. */
  readonly meanwhile?: (client: Client, origin: string) => void;
}

const occupy = (client: Client, origin: string): void => {
  void outcomeOf(client.request(origin, { queueTimeoutMsecs: 60_000 }));
};
const failures: readonly Failure[] = [
  { kind: QueueFullError, options: { maxSockets: 1, maxPending: 0 }, meanwhile: occupy },
  { kind: QueueTimeoutError, options: { maxSockets: 1, queueTimeoutMsecs: 5 }, meanwhile: occupy },
  { kind: HeadersTimeoutError, options: { headersTimeoutMsecs: 5 } },
  { kind: RequestTimeoutError, options: { requestTimeoutMsecs: 50 } },
  {
    kind: BodyTimeoutError,
    options: { bodyTimeoutMsecs: 5 },
    answer: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
  },
  { kind: SocketClosedError, closes: true },
  { kind: ResponseParseError, answer: "HTTP/9.9 200 OK\r\n\r\n" },
  {
    kind: ClientClosedError,
    meanwhile: (client) => setImmediate(() => client.destroy()),
  },
];

test("every error of a request names its service and its lane", async (t) => {
  for (const { kind, options, answer, closes, meanwhile } of failures) {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      if (answer !== undefined) await connection.send(answer);
      if (closes === true) connection.reset();
    });
    const { client, origin } = apiClient(t, server.origin, options);
    meanwhile?.(client, origin);
    const read = async () => (await client.request(origin, { lane: "bulk" })).body.text();
    const error = await rejection(read(), kind as never as new () => KeeplineError);
    const named = [error.origin, error.service, error.lane];
    assert.deepEqual(named, [origin, "api", "bulk"], error.message);
  }
  // What fails before there is a connection.
  const { client, origin } = apiClient(t, `http://127.0.0.1:${await deadPort()}`);
  const refused = await rejection(client.request(origin, { lane: "bulk" }), ConnectError);
  assert.deepEqual([refused.origin, refused.service, refused.lane], [origin, "api", "bulk"]);
  const slow = apiClient(t, "http://slow.test", { connectTimeoutMsecs: 5 }, () => {});
  const asked = slow.client.request(slow.origin, { lane: "bulk" });
  const late = await rejection(asked, ConnectTimeoutError);
  assert.deepEqual([late.origin, late.service, late.lane], [slow.origin, "api", "bulk"]);
  await slow.client.close();
  const closed = slow.client.request(slow.origin, { lane: "bulk" });
  const error = await rejection(closed, ClientClosedError);
  assert.deepEqual([error.origin, error.service, error.lane], [slow.origin, "api", "bulk"]);
});

/** A client whose service `api` has `origin`, with a lane `bulk`. */
function apiClient(t: TestContext, origin: string, options = {}, lookup?: () => void) {
  const services = { api: { origins: origin, ...options, lanes: { bulk: {} } } };
  const connect = lookup === undefined ? {} : { connect: { lookup } };
  return { client: makeClient(t, { ...connect, services }), origin };
}

test("a leak warning names the service and the lane", async (t) => {
  const warned: string[] = [];
  t.mock.method(process, "emitWarning", (message: string) => warned.push(message));
  const clock = new ManualClock();
  const server = await plainServer(t, (_, response) => response.end(Buffer.alloc(1e6)));
  const client = makeClient(t, {
    clock,
    services: { api: { origins: server.origin, leakTimeoutMsecs: 1_000, lanes: { bulk: {} } } },
  });
  const { body } = await client.request(server.origin, { lane: "bulk" });
  for (let count = 0; count < 20; count++) clock.advance(100);
  assert.equal(warned.length, 1);
  assert.match(warned[0] ?? "", /lane bulk/);
  assert.match(warned[0] ?? "", /service api/);
  await body.dump();
});

test("a service sends what has a path to its only origin, and refuses others'", async (t) => {
  const server = await plainServer(t, (request, response) => response.end(request.url));
  const { origin, port } = server;
  const client = makeClient(t, {
    ...namesAreLocal,
    services: {
      api: { origins: origin, lanes: { bulk: {} } },
      several: { origins: [`http://a.test:${port}`, `http://b.test:${port}`] },
      wild: { origins: `http://*.svc.test:${port}` },
      mixed: { origins: [`http://c.test:${port}`, `http://*.c.test:${port}`] },
    },
  });
  const api = client.service("api");
  const text = async (service: typeof api, url: string | URL) =>
    (await service.request(url)).body.text();
  assert.equal(api.name, "api");
  assert.equal(await text(api, "/charges?a=1"), "/charges?a=1");
  assert.equal(await text(api, `${origin}/x`), "/x");
  assert.equal(await text(api, new URL("/y", origin)), "/y");
  assert.equal(await text(client.service("mixed"), "/z"), "/z");
  assert.equal(await text(client.service("default"), `http://d.test:${port}/d`), "/d");
  assert.equal(statsFor(client, `http://c.test:${port}`).service, "mixed");

  const foreign = await rejection(api.request(`http://a.test:${port}`), InvalidRequestError);
  assert.equal(
    foreign.message,
    `http://a.test:${port} is not an origin of service api: send it with client.request(), or give the service this origin`,
  );
  assert.deepEqual([foreign.origin, foreign.service], [`http://a.test:${port}`, "api"]);
  // To a browser that names another host.
  assert.equal(await text(api, `//a.test:${port}/x`), `//a.test:${port}/x`);
  for (const name of ["several", "wild", "default"]) {
    const error = await rejection(client.service(name).request("/x"), InvalidRequestError);
    assert.match(error.message, new RegExp(`^url must be absolute, since service ${name} has not`));
  }
  assert.throws(() => client.service("apis"), {
    message:
      'client.service(): service must be one of "default", "api", "several", "wild", "mixed", not "apis"',
  });
  assert.equal(client.stats().origins.length, 3);
});

test("a lane of a service sends in it, and refuses another", async (t) => {
  const server = await plainServer(t);
  const asked: string[] = [];
  const client = makeClient(t, {
    services: {
      api: {
        origins: server.origin,
        lanes: { bulk: {}, other: {} },
        laneFor: ({ path }) => {
          asked.push(path);
          return "other";
        },
      },
    },
  });
  const bulk = client.service("api").lane("bulk");
  assert.deepEqual([bulk.service, bulk.name], ["api", "bulk"]);
  assert.equal(await outcomeOf(bulk.request("/1")), 200);
  assert.equal(await outcomeOf(bulk.request(`${server.origin}/2`, { method: "POST" })), 200);
  assert.deepEqual(asked, []);
  assert.equal(await outcomeOf(client.service("api").request("/3")), 200);
  assert.equal(await outcomeOf(client.service("api").request("/4", { lane: "bulk" })), 200);
  assert.deepEqual(asked, ["/3"]);
  const refused = await rejection(bulk.request("/", { lane: "other" }), InvalidOptionError);
  assert.match(refused.message, /^lane\.request\(\): lane must be absent .*, not "other"$/);
  const { lanes } = statsOf(client);
  assert.deepEqual([lanes.bulk?.served, lanes.other?.served], [3, 1]);
  assert.deepEqual(bulk.stats(), client.service("api").stats().lanes.bulk);
  assert.throws(() => client.service("api").lane("bulks"), /did you mean "bulk"/);
  await rejection(bulk.request("http://elsewhere.test"), InvalidRequestError);
});

test("a view changes its service, is refused when it is gone, and ends with its client", async (t) => {
  const server = await holdingServer(t);
  const client = makeClient(t, {
    services: { api: { origins: server.origin, maxSockets: 1, lanes: { bulk: {} } } },
  });
  const api = client.service("api");
  const bulk = api.lane("bulk");
  const requests = [1, 2, 3].map(() => outcomeOf(bulk.request("/")));
  assert.deepEqual([bulk.stats().pending, api.stats().sockets.open], [3, 1]);
  api.configure({ maxSockets: 2, lanes: { bulk: { maxSockets: 2 } } });
  assert.deepEqual([bulk.stats().pending, api.stats().sockets.open], [3, 2]);
  assert.throws(() => api.configure({ maxSockets: 0 }), {
    message: /^client\.configureService\(\): services\.api\.maxSockets must be .*, not 0$/,
  });
  await answerNext(server, 3);
  assert.deepEqual(await Promise.all(requests), [200, 200, 200]);

  client.configureService("api", { lanes: { bulk: null } });
  await rejection(bulk.request("/"), InvalidOptionError);
  assert.throws(() => bulk.stats(), /lane must be one of "default" of service api, not "bulk"/);
  client.removeService("api");
  const gone = await rejection(api.request(server.origin), InvalidRequestError);
  assert.equal(gone.message, "there is no service api any more");
  assert.throws(() => api.stats(), /service must be one of "default", not "api"/);
  // Nobody means to bring it back by a change.
  assert.throws(() => api.configure({ maxSockets: 5 }), InvalidOptionError);

  client.configureService("api", { origins: server.origin });
  const last = api.request("/");
  await server.next();
  client.destroy();
  await rejection(last, ClientClosedError);
  await rejection(api.request("/"), ClientClosedError);
});
