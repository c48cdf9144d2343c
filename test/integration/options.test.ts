/**
 * Every option of a client changes what the client does: each tells the same story with different
 * values, and what servers and callers see of it differs. Real sockets; a story waits for events, and
 * for a duration only where the option is one.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import { clientRules } from "../../src/client/options.ts";
import { serviceRules } from "../../src/client/service-options.ts";
import type { ClientOptions, ResolvedOptions } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { closedReasons, makeClient, statsOf, until } from "../support/client-kit.ts";
import {
  certificate,
  closedUnderSecond,
  holdingServer,
  outcomeOf,
  plainServer,
  statsFor,
  tlsServer,
} from "../support/loopback.ts";

interface Behaviour {
  /** What the option decides, to be read after its name. */
  readonly decides: string;
  /** What is seen with `options`. */
  readonly story: (t: TestContext, options: ClientOptions) => Promise<unknown>;
  /** Options, and what is seen with them. */
  readonly outcomes: readonly (readonly [options: ClientOptions, seen: unknown])[];
}

const everywhere = { origins: () => true };
const elsewhere = { origins: "http://elsewhere.test" };

const behaviours = {
  keepAlive: {
    decides: "whether a connection is used again, and what the server is told",
    story: async (t, options) => {
      const server = await plainServer(t, (request, response) =>
        response.end(request.headers.connection),
      );
      const client = makeClient(t, options);
      const said = [];
      for (let count = 0; count < 2; count++) {
        said.push(await (await client.request(server.origin)).body.text());
      }
      return { said, accepted: server.connectionCount };
    },
    outcomes: [
      [{}, { said: ["keep-alive", "keep-alive"], accepted: 1 }],
      [{ keepAlive: false }, { said: ["close", "close"], accepted: 2 }],
    ],
  },
  keepAliveMsecs: {
    decides: "how long an idle connection can be used",
    story: async (t, options) => {
      const server = await plainServer(t);
      const client = makeClient(t, options);
      await outcomeOf(client.request(server.origin));
      await sleep(60);
      const { connection } = await client.request(server.origin);
      return { reused: connection.reused, closed: closedReasons(client) };
    },
    outcomes: [
      [{}, { reused: true, closed: {} }],
      [{ keepAliveMsecs: 30 }, { reused: false, closed: { "idle-timeout": 1 } }],
      [{ keepAliveMsecs: 0 }, { reused: false, closed: { "idle-timeout": 2 } }],
    ],
  },
  maxSockets: {
    decides: "how many requests to an origin are under way at once",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, options);
      const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
      const { sockets, pending } = statsOf(client);
      for (const _ of requests) (await server.next()).response.end();
      assert.deepEqual(await Promise.all(requests), [200, 200, 200]);
      return { open: sockets.open, pending, accepted: server.connectionCount };
    },
    outcomes: [
      [{}, { open: 3, pending: 3, accepted: 3 }],
      [{ maxSockets: 2 }, { open: 2, pending: 3, accepted: 2 }],
      [{ maxSockets: 1 }, { open: 1, pending: 3, accepted: 1 }],
    ],
  },
  maxFreeSockets: {
    decides: "how many idle connections an origin keeps",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, options);
      const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
      const arrived = [await server.next(), await server.next(), await server.next()];
      for (const { response } of arrived) response.end();
      await Promise.all(requests);
      return { idle: statsOf(client).sockets.idle, closed: closedReasons(client) };
    },
    outcomes: [
      [{}, { idle: 3, closed: {} }],
      [{ maxFreeSockets: 1 }, { idle: 1, closed: { "max-free-sockets": 2 } }],
      [{ maxFreeSockets: 0 }, { idle: 0, closed: { "max-free-sockets": 3 } }],
    ],
  },
  maxTotalSockets: {
    decides: "whether one origin's idle connection makes room for another origin",
    story: async (t, options) => {
      const [one, other] = [await plainServer(t), await plainServer(t)];
      const client = makeClient(t, options);
      await outcomeOf(client.request(one.origin));
      await outcomeOf(client.request(other.origin));
      return {
        open: client.stats().client.sockets.open,
        given: statsFor(client, one.origin).closed["total-limit"],
      };
    },
    outcomes: [
      [{}, { open: 2, given: 0 }],
      [{ maxTotalSockets: 1 }, { open: 1, given: 1 }],
    ],
  },
  maxOrigins: {
    decides: "how many pools are kept",
    story: async (t, options) => {
      const servers = [await plainServer(t), await plainServer(t), await plainServer(t)];
      const client = makeClient(t, options);
      for (const { origin } of servers) await outcomeOf(client.request(origin));
      const kept = client.stats().origins.map((each) => each.origin);
      return servers.map(({ origin }) => kept.includes(origin));
    },
    outcomes: [
      [{}, [true, true, true]],
      [{ maxOrigins: 2 }, [false, true, true]],
      [{ maxOrigins: 1 }, [false, false, true]],
    ],
  },
  scheduling: {
    decides: "which of two idle connections is used",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, options);
      const requests = [1, 2].map(() => outcomeOf(client.request(server.origin)));
      const [first, second] = [await server.next(), await server.next()];
      first.response.end();
      await Promise.race(requests);
      second.response.end();
      await Promise.all(requests);
      const third = outcomeOf(client.request(server.origin));
      const { request, response } = await server.next();
      response.end();
      await third;
      return request.socket === first.request.socket ? "idle for longer" : "idle for shorter";
    },
    outcomes: [
      [{}, "idle for shorter"],
      [{ scheduling: "lifo" }, "idle for shorter"],
      [{ scheduling: "fifo" }, "idle for longer"],
    ],
  },
  dialing: {
    decides: "whether all requests of a burst have a dial at once",
    story: async (t, options) => {
      const server = await tlsServer(t, certificate());
      const connect = { tls: { rejectUnauthorized: false } };
      // Time stands still, so that all of it is one burst.
      const client = makeClient(t, { ...options, connect, clock: new ManualClock() });
      const requests = Array.from({ length: 60 }, () => outcomeOf(client.request(server.origin)));
      const { dialing } = statsOf(client).sockets;
      await Promise.all(requests);
      return dialing === requests.length ? "all" : "some";
    },
    outcomes: [
      [{}, "some"],
      [{ dialing: "patient" }, "some"],
      [{ dialing: "eager" }, "all"],
    ],
  },
  minFreeSockets: {
    decides: "how many connections are held ready beside those in use",
    story: async (t, options) => {
      const server = await plainServer(t);
      const client = makeClient(t, options);
      await outcomeOf(client.request(server.origin));
      const { open } = statsOf(client).sockets;
      await until(() => server.connectionCount === open);
      return open;
    },
    outcomes: [
      [{}, 1],
      [{ minFreeSockets: 1 }, 2],
      [{ minFreeSockets: 3 }, 4],
    ],
  },
  maxSocketAgeMsecs: {
    decides: "whether a connection that works is closed for its age",
    story: async (t, options) => {
      const server = await plainServer(t);
      const client = makeClient(t, options);
      await outcomeOf(client.request(server.origin));
      await sleep(60);
      const { connection } = await client.request(server.origin);
      return { reused: connection.reused, reasons: Object.keys(closedReasons(client)) };
    },
    outcomes: [
      [{}, { reused: true, reasons: [] }],
      [{ maxSocketAgeMsecs: 50 }, { reused: false, reasons: ["max-age"] }],
    ],
  },
  maxRequestsPerSocket: {
    decides: "how many requests a connection carries",
    story: async (t, options) => {
      const server = await plainServer(t);
      const client = makeClient(t, options);
      const counts = [];
      for (let count = 0; count < 4; count++) {
        const { body, connection } = await client.request(server.origin);
        await body.text();
        counts.push(connection.requestCount);
      }
      return counts;
    },
    outcomes: [
      [{}, [1, 2, 3, 4]],
      [{ maxRequestsPerSocket: 2 }, [1, 2, 1, 2]],
      [{ maxRequestsPerSocket: 1 }, [1, 1, 1, 1]],
    ],
  },
  maxPending: {
    decides: "how many requests may wait",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, { ...options, maxSockets: 1 });
      const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
      const { refused } = statsOf(client).lanes.default ?? {};
      for (let count = refused ?? 0; count < 3; count++) (await server.next()).response.end();
      return await Promise.all(requests);
    },
    outcomes: [
      [{}, [200, 200, 200]],
      [{ maxPending: 1 }, [200, 200, "ERR_KEEPLINE_QUEUE_FULL"]],
      [{ maxPending: 0 }, [200, "ERR_KEEPLINE_QUEUE_FULL", "ERR_KEEPLINE_QUEUE_FULL"]],
    ],
  },
  queueTimeoutMsecs: {
    decides: "how long a request waits for a connection",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, { ...options, maxSockets: 1 });
      const queueTimeoutMsecs = Number.POSITIVE_INFINITY;
      const holder = outcomeOf(client.request(server.origin, { queueTimeoutMsecs }));
      const held = await server.next();
      const waiting = outcomeOf(client.request(server.origin));
      const early = await Promise.race([waiting, sleep(80, "waits")]);
      held.response.end();
      if (early === "waits") (await server.next()).response.end();
      return [await holder, early, await waiting];
    },
    outcomes: [
      [{}, [200, "waits", 200]],
      [{ queueTimeoutMsecs: 300_000 }, [200, "waits", 200]],
      [
        { queueTimeoutMsecs: 30 },
        [200, "ERR_KEEPLINE_QUEUE_TIMEOUT", "ERR_KEEPLINE_QUEUE_TIMEOUT"],
      ],
    ],
  },
  connectTimeoutMsecs: {
    decides: "how long a connection may take to open",
    story: async (t, options) => {
      const server = await plainServer(t);
      let answer = () => {};
      const client = makeClient(t, {
        ...options,
        connect: {
          lookup: (_, { all }, callback) => {
            const address = "127.0.0.1";
            answer = () =>
              all === true ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4);
          },
        },
      });
      const request = outcomeOf(client.request(`http://slow.example:${server.port}`));
      const early = await Promise.race([request, sleep(80, "connects")]);
      answer();
      return [early, await request];
    },
    outcomes: [
      [{}, ["connects", 200]],
      [{ connectTimeoutMsecs: Number.POSITIVE_INFINITY }, ["connects", 200]],
      [
        { connectTimeoutMsecs: 30 },
        ["ERR_KEEPLINE_CONNECT_TIMEOUT", "ERR_KEEPLINE_CONNECT_TIMEOUT"],
      ],
    ],
  },
  saturationMsecs: {
    decides: "after which wait a lane is reported as saturated",
    story: async (t, options) => {
      t.mock.method(process, "emitWarning", () => {});
      const clock = new ManualClock();
      const server = await holdingServer(t);
      const client = makeClient(t, { maxSockets: 1, ...options, clock });
      const waits: number[] = [];
      client.on("saturated", ({ waitedMsecs }) => waits.push(waitedMsecs));
      const requests = [1, 2].map(() => outcomeOf(client.request(server.origin)));
      const arrived = await server.next();
      for (let count = 0; count < 10; count++) {
        clock.advance(200);
        await turn();
      }
      arrived.response.end();
      (await server.next()).response.end();
      await Promise.all(requests);
      return waits;
    },
    outcomes: [
      [{}, [1_000]],
      [{ saturationMsecs: 200 }, [200]],
      [{ saturationMsecs: Number.POSITIVE_INFINITY }, []],
    ],
  },
  tuning: {
    decides: "whether more idle sockets are kept than was given, where that costs less",
    story: async (t, options) => {
      const clock = new ManualClock();
      const server = await holdingServer(t);
      const client = makeClient(t, { maxFreeSockets: 1, ...options, clock });
      for (let burst = 0; burst < 5; burst++) {
        const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
        const arrived = [await server.next(), await server.next(), await server.next()];
        for (const { response } of arrived) response.end();
        await Promise.all(requests);
        clock.advance(200);
        await turn();
      }
      const { idle } = statsOf(client).sockets;
      return { idle, isEnough: client.stats().services.some((each) => each.tuning.changes > 0) };
    },
    outcomes: [
      [{}, { idle: 1, isEnough: false }],
      [{ tuning: "frozen" }, { idle: 1, isEnough: false }],
      [{ tuning: { maxFreeSockets: [1, 3], intervalMsecs: 200 } }, { idle: 3, isEnough: true }],
    ],
  },
  headersTimeoutMsecs: {
    decides: "how long the response head may take",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const request = outcomeOf(makeClient(t, options).request(server.origin));
      const { response } = await server.next();
      const early = await Promise.race([request, sleep(80, "waits")]);
      response.end();
      return [early, await request];
    },
    outcomes: [
      [{}, ["waits", 200]],
      [{ headersTimeoutMsecs: Number.POSITIVE_INFINITY }, ["waits", 200]],
      [
        { headersTimeoutMsecs: 30 },
        ["ERR_KEEPLINE_HEADERS_TIMEOUT", "ERR_KEEPLINE_HEADERS_TIMEOUT"],
      ],
    ],
  },
  bodyTimeoutMsecs: {
    decides: "how long the response body may stand still",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const request = outcomeOf(makeClient(t, options).request(server.origin));
      const { response } = await server.next();
      response.write("part");
      const early = await Promise.race([request, sleep(80, "waits")]);
      response.end();
      return [early, await request];
    },
    outcomes: [
      [{}, ["waits", 200]],
      [{ bodyTimeoutMsecs: Number.POSITIVE_INFINITY }, ["waits", 200]],
      [{ bodyTimeoutMsecs: 30 }, ["ERR_KEEPLINE_BODY_TIMEOUT", "ERR_KEEPLINE_BODY_TIMEOUT"]],
    ],
  },
  requestTimeoutMsecs: {
    decides: "how long the whole request may take",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const request = outcomeOf(makeClient(t, options).request(server.origin));
      const arrived = server.next();
      void arrived.then(({ response }) => response.write("part"));
      const early = await Promise.race([request, sleep(80, "waits")]);
      if (early === "waits") (await arrived).response.end();
      return [early, await request];
    },
    outcomes: [
      [{}, ["waits", 200]],
      [{ requestTimeoutMsecs: 300_000 }, ["waits", 200]],
      [
        { requestTimeoutMsecs: 30 },
        ["ERR_KEEPLINE_REQUEST_TIMEOUT", "ERR_KEEPLINE_REQUEST_TIMEOUT"],
      ],
    ],
  },
  resend: {
    decides: "whether a request is sent again whose connection failed before the response",
    // On a clock that stands still: what must not be sent twice takes no connection that was idle for some 25 ms.
    story: (t, options) => closedUnderSecond(t, { clock: new ManualClock(), ...options }, {}),
    outcomes: [
      [{}, [200, 1]],
      [{ resend: "safe" }, [200, 1]],
      [{ resend: "never" }, ["ERR_KEEPLINE_SOCKET_CLOSED", 0]],
    ],
  },
  leakTimeoutMsecs: {
    decides: "after how long a body that nobody reads is reported",
    story: async (t, options) => {
      t.mock.method(process, "emitWarning", () => {});
      const clock = new ManualClock();
      const server = await plainServer(t, (_, response) => response.end(Buffer.alloc(1e6)));
      const client = makeClient(t, { ...options, clock });
      const { body } = await client.request(server.origin);
      const reported = [30_000, 30_000].map((msecs) => {
        clock.advance(msecs);
        return statsOf(client).leaked.reported;
      });
      await body.dump();
      return reported;
    },
    outcomes: [
      [{}, [0, 1]],
      [{ leakTimeoutMsecs: 30_000 }, [1, 1]],
      [{ leakTimeoutMsecs: Number.POSITIVE_INFINITY }, [0, 0]],
    ],
  },
  maxHeaderBytes: {
    decides: "how large a response head may be",
    story: async (t, options) => {
      const server = await plainServer(t, (_, response) => {
        response.setHeader("x-long", "x".repeat(1_000));
        response.end();
      });
      return await outcomeOf(makeClient(t, options).request(server.origin));
    },
    outcomes: [
      [{}, 200],
      [{ maxHeaderBytes: 2_000 }, 200],
      [{ maxHeaderBytes: 1_000 }, "ERR_KEEPLINE_RESPONSE_PARSE"],
    ],
  },
  connect: {
    decides: "how sockets are opened",
    story: async (t, options) => {
      const server = await plainServer(t, (request, response) => {
        response.end(request.socket.remoteAddress);
      });
      return await (await makeClient(t, options).request(server.origin)).body.text();
    },
    outcomes: [
      [{}, "127.0.0.1"],
      [{ connect: {} }, "127.0.0.1"],
      [{ connect: { localAddress: "127.0.0.2" } }, "127.0.0.2"],
    ],
  },
  clock: {
    decides: "by which time idle connections, queues and timeouts end",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, { ...options, headersTimeoutMsecs: 30 });
      const outcome = outcomeOf(client.request(server.origin));
      const { response } = await server.next();
      await sleep(60);
      response.end();
      return await outcome;
    },
    outcomes: [
      [{}, "ERR_KEEPLINE_HEADERS_TIMEOUT"],
      [{ clock: new ManualClock() }, 200],
    ],
  },
  services: {
    decides: "which origins have options of their own",
    story: async (t, options) => {
      const server = await holdingServer(t);
      const client = makeClient(t, options);
      const requests = [1, 2, 3].map(() => outcomeOf(client.request(server.origin)));
      const { service, sockets } = statsOf(client);
      for (const _ of requests) (await server.next()).response.end();
      await Promise.all(requests);
      return { service, open: sockets.open };
    },
    outcomes: [
      [{}, { service: "default", open: 3 }],
      [{ services: {} }, { service: "default", open: 3 }],
      [{ services: { default: { maxSockets: 2 } } }, { service: "default", open: 2 }],
      [{ services: { all: { ...everywhere, maxSockets: 1 } } }, { service: "all", open: 1 }],
      [{ services: { other: { ...elsewhere, maxSockets: 1 } } }, { service: "default", open: 3 }],
    ],
  },
} satisfies Record<keyof ResolvedOptions, Behaviour>;

for (const [option, { decides, story, outcomes }] of Object.entries<Behaviour>(behaviours)) {
  test(`${option} decides ${decides}`, async (t) => {
    for (const [options, seen] of outcomes) {
      assert.deepEqual(await story(t, options), seen, inspect(options));
    }
  });
}

/** Options that a service can have, with its `origins` in place of the client's `connect` and so on. */
const ofServices = Object.keys(behaviours).filter((option) => option in serviceRules);

for (const option of ofServices) {
  const { story, outcomes } = behaviours[option as keyof typeof behaviours] as Behaviour;
  test(`${option} of a service does for its origins what the client's does, and nothing for others`, async (t) => {
    const byDefault = outcomes.find(([options]) => Object.keys(options).length === 0)?.[1];
    for (const [options, seen] of outcomes) {
      const inside = await story(t, { services: { own: { ...everywhere, ...options } } });
      assert.deepEqual(inside, seen, inspect(options));
      const outside = await story(t, { services: { other: { ...elsewhere, ...options } } });
      assert.deepEqual(outside, byDefault, inspect(options));
    }
  });
}

test("a service takes every option but those of the whole client", () => {
  const others = Object.keys(behaviours).filter((option) => !ofServices.includes(option));
  assert.deepEqual(others, ["maxOrigins", "connect", "clock", "services"]);
});

test("every option of the table has a test above that sees it change something", () => {
  assert.deepEqual(Object.keys(behaviours).sort(), Object.keys(clientRules).sort());
  for (const [option, { outcomes }] of Object.entries<Behaviour>(behaviours)) {
    assert(
      outcomes.some(([options]) => Object.keys(options).length === 0),
      `${option}: the default`,
    );
    const setting = outcomes.filter(([options]) => option in options);
    assert(
      outcomes.some(([options, seen]) =>
        setting.some(
          ([others, otherwise]) => others !== options && inspect(otherwise) !== inspect(seen),
        ),
      ),
      `${option}: two outcomes that differ`,
    );
  }
});
