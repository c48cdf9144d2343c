/**
 * The sockets of agents: when they are reused and listed, what programs are told of them, and what programs may do in
 * place of an agent.
 */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import http from "node:http";
import net, { type Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { Agent, type AgentStatus } from "../../src/surfaces/agent/index.ts";
import { begin, countOf, failure, finish, get, makeAgent } from "../support/agent-kit.ts";
import { until } from "../support/client-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";
import { rawServer } from "../support/raw-server.ts";

test("requests one after the other use one socket, and know it", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const all = [];
  for (let count = 0; count < 3; count++) all.push(await get(server.origin, { agent }));
  assert.deepEqual(
    all.map(({ reused }) => reused),
    [false, true, true],
  );
  assert.equal(new Set(all.map(({ port }) => port)).size, 1);
  assert.equal(server.connectionCount, 1);
});

test("bodies of requests and responses of all sizes pass, and leave a socket that can be used", async (t) => {
  const server = await plainServer(t, (request, response) => request.pipe(response));
  const agent = makeAgent(t);
  for (const size of [0, 1, 1_000, 100_000, 3_000_000]) {
    const body = "x".repeat(size);
    const got = await get(server.origin, { agent, method: "POST", body });
    assert.equal(got.body, body);
  }
  assert.equal(server.connectionCount, 1);
});

test("a response that is read slowly holds its socket back, and loses nothing", async (t) => {
  const size = 5_000_000;
  const server = await plainServer(t, (_, response) => response.end(Buffer.alloc(size, "y")));
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  request.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  await new Promise((resolve) => setTimeout(resolve, 30));
  let count = 0;
  for await (const chunk of response) {
    count += (chunk as Buffer).length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(count, size);
  await until(() => countOf(agent.freeSockets) === 1);
  assert.equal((await get(server.origin, { agent })).reused, true);
});

test("sockets, freeSockets, requests and totalSocketCount are there when they are looked at, by Node's names", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const name = `127.0.0.1:${server.port}:`;
  const request = begin(server.origin, { agent });
  request.end();
  assert.equal(agent.sockets[name]?.length, 1, "a socket that is being connected");
  const waiting = begin(server.origin, { agent });
  waiting.end();
  assert.deepEqual(agent.requests[name], [waiting]);
  const { response } = await server.next();
  assert.deepEqual(agent.sockets[name], [request.socket]);
  assert.deepEqual([Object.keys(agent.freeSockets), agent.totalSocketCount], [[], 1]);
  response.end();
  await finish(request);
  (await server.next()).response.end();
  await finish(waiting);
  assert.deepEqual(agent.freeSockets[name], [waiting.socket]);
  assert.deepEqual([Object.keys(agent.sockets), Object.keys(agent.requests)], [[], []]);
  assert.equal(agent.getName({ host: "127.0.0.1", port: server.port }), name);
});

test("what a program assigns to the lists is not taken", () => {
  const agent = new Agent();
  const lists = agent as { sockets: unknown; freeSockets: unknown; requests: unknown };
  lists.sockets = lists.freeSockets = lists.requests = null;
  assert.deepEqual(
    [{ ...agent.sockets }, { ...agent.freeSockets }, { ...agent.requests }],
    [{}, {}, {}],
  );
});

test("getCurrentStatus counts what has happened, and what there is", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 2 });
  assert.equal(agent.statusChanged, false);
  const name = `127.0.0.1:${server.port}:`;
  const all = [1, 2, 3].map(() => get(server.origin, { agent }));
  const held = [await server.next(), await server.next()];
  const expected: AgentStatus = {
    createSocketCount: 2,
    createSocketErrorCount: 0,
    closeSocketCount: 0,
    errorSocketCount: 0,
    timeoutSocketCount: 0,
    requestCount: 0,
    freeSockets: {},
    sockets: { [name]: 2 },
    requests: { [name]: 1 },
  };
  assert.deepEqual(agent.getCurrentStatus(), expected);
  assert.deepEqual([agent.statusChanged, agent.statusChanged], [true, false]);
  for (const { response } of held) response.end();
  (await server.next()).response.end();
  await Promise.all(all);
  assert.deepEqual(agent.getCurrentStatus(), {
    ...expected,
    requestCount: 3,
    freeSockets: { [name]: 2 },
    sockets: {},
    requests: {},
  });
  agent.destroy();
  await until(() => agent.getCurrentStatus().closeSocketCount === 2);
});

test("the agent and the socket emit free with the socket, which is in the list then", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const told: unknown[] = [];
  agent.on("free", (socket, options) => {
    told.push([socket, (options as { port: unknown }).port, countOf(agent.freeSockets)]);
  });
  const request = begin(server.origin, { agent });
  request.once("socket", (socket: Socket) => socket.once("free", () => told.push("socket")));
  request.end();
  const { socket } = await finish(request);
  assert.deepEqual(told, [[socket, server.port, 1], "socket"]);
});

test("a request that is made in a listener of free gets the socket", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  const next = new Promise<boolean>((resolve) => {
    request.once("socket", (socket: Socket) => {
      socket.once("free", () => {
        get(server.origin, { agent }).then((got) => resolve(got.socket === socket));
      });
    });
  });
  request.end();
  await finish(request);
  assert.equal(await next, true);
});

test("a socket does not gather listeners with its requests", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const { socket } = await get(server.origin, { agent, timeout: 1_000 });
  const count = (): number =>
    socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name as string), 0);
  const before = count();
  for (let round = 0; round < 12; round++) await get(server.origin, { agent, timeout: 1_000 });
  assert.equal(count(), before);
});

test("a socket that the program destroyed while it was idle is not used again", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const { socket } = await get(server.origin, { agent });
  socket.destroy();
  const next = await get(server.origin, { agent });
  assert.notEqual(next.socket, socket);
});

test("a socket that the program destroyed as its response ended is not given to those who wait", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const request = begin(server.origin, { agent });
  request.once("response", (response: http.IncomingMessage) => {
    response.resume().once("end", () => request.socket?.destroy());
  });
  request.end();
  const next = await get(server.origin, { agent });
  assert.equal(next.reused, false);
  assert.notEqual(next.socket, request.socket);
});

test("bytes that come on an idle socket close it, and are no response", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    if (server.connectionCount === 1) {
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong");
    }
  });
  const agent = makeAgent(t, { keepAliveMsecs: 60_000 });
  assert.equal((await get(server.origin, { agent })).body, "ok");
  await until(() => agent.totalSocketCount === 0);
  assert.equal((await get(server.origin, { agent })).body, "ok");
});

test("a response that asks for the end of its connection gets it", async (t) => {
  const server = await plainServer(t, (_, response) => {
    response.setHeader("connection", "close").end("ok");
  });
  const agent = makeAgent(t);
  const ports = [await get(server.origin, { agent }), await get(server.origin, { agent })];
  assert.notEqual(ports[0]?.port, ports[1]?.port);
  await until(() => agent.totalSocketCount === 0);
});

test("destroy closes all sockets, and leaves an agent that can be used", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const idle = get(server.origin, { agent });
  (await server.next()).response.end();
  const { socket } = await idle;
  agent.destroy();
  assert.equal(socket.destroyed, true);
  assert.equal(agent.totalSocketCount, 0);

  const busy = begin(server.origin, { agent });
  busy.end();
  await server.next();
  const waiting = get(server.origin, { agent });
  agent.destroy();
  assert.equal((await failure(busy)).code, "ECONNRESET");
  (await server.next()).response.end("fine");
  assert.equal((await waiting).body, "fine");
});

test("destroy ends requests whose sockets are being connected", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const request = begin(server.origin, { agent });
  request.end();
  agent.destroy();
  const error = await failure(request);
  assert.deepEqual([error.code, error.message], ["ECONNRESET", "socket hang up"]);
  assert.equal(agent.totalSocketCount, 0);
});

// Hooks

test("keepSocketAlive decides whether a socket is kept, and may set its timeout", async (t) => {
  const server = await plainServer(t);
  const asked: unknown[] = [];
  class Careful extends Agent {
    answer = true;
    override keepSocketAlive(socket: Duplex): boolean {
      asked.push((socket as unknown as { _httpMessage: unknown })._httpMessage);
      assert.equal(super.keepSocketAlive(socket), true);
      (socket as Socket).setTimeout(30);
      return this.answer;
    }
  }
  const agent = new Careful();
  t.after(() => agent.destroy());
  const first = await get(server.origin, { agent });
  assert.deepEqual(asked, [first.request]);
  assert.equal(first.socket.timeout, 30);
  await until(() => first.socket.destroyed);
  agent.answer = false;
  const second = await get(server.origin, { agent });
  assert.equal(second.socket.destroyed, true);
});

test("reuseSocket is told of each reuse", async (t) => {
  const server = await plainServer(t);
  const told: unknown[] = [];
  class Telling extends Agent {
    override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
      told.push([socket, request]);
      super.reuseSocket(socket, request);
    }
  }
  const agent = new Telling();
  t.after(() => agent.destroy());
  await get(server.origin, { agent });
  const { socket, request, reused } = await get(server.origin, { agent });
  assert.deepEqual(told, [[socket, request]]);
  assert.equal(reused, true);
});

test("a hook that throws fails its request, and holds up no other", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  await get(server.origin, { agent });
  agent.reuseSocket = () => {
    throw new Error("from the hook");
  };
  const request = begin(server.origin, { agent });
  request.end();
  assert.equal((await failure(request)).message, "from the hook");
  assert.equal((await get(server.origin, { agent })).reused, false);
});

test("createConnection of a program makes the sockets, whether it returns them or calls back", async (t) => {
  const server = await plainServer(t);
  const ways: ((
    port: number,
    done: (error: null, socket: Duplex) => void,
  ) => Duplex | undefined)[] = [
    (port) => net.connect(port, "127.0.0.1"),
    (port, done) => {
      const socket = net.connect(port, "127.0.0.1");
      socket.once("connect", () => done(null, socket));
      return undefined;
    },
    (port, done) => {
      setImmediate(() => done(null, net.connect(port, "127.0.0.1")));
      return undefined;
    },
  ];
  for (const way of ways) {
    let count = 0;
    class Custom extends Agent {
      override createConnection(
        options: http.ClientRequestArgs,
        callback?: (error: Error | null, stream: Duplex) => void,
      ): Duplex | undefined {
        count++;
        assert.equal((options as { custom?: unknown }).custom, "yes");
        return way(server.port, callback as never);
      }
    }
    const agent = new Custom();
    t.after(() => agent.destroy());
    const options = { agent, custom: "yes" } as http.RequestOptions;
    const first = await get("http://nowhere.test", options);
    const second = await get("http://nowhere.test", options);
    assert.deepEqual([first.body, second.body, second.reused], ["ok", "ok", true]);
    assert.equal(count, 1);
    assert.deepEqual(Object.keys(agent.freeSockets), ["nowhere.test:80:"]);
  }
});

test("an error of createConnection is the request's, however it comes", async (t) => {
  const ways: ((done: (error: Error) => void) => undefined)[] = [
    (done) => {
      done(new Error("no"));
    },
    (done) => {
      setImmediate(() => done(new Error("no")));
    },
    () => {
      throw new Error("no");
    },
  ];
  for (const way of ways) {
    const agent = makeAgent(t);
    agent.createConnection = (_, callback) => way(callback as never);
    const request = begin("http://nowhere.test", { agent });
    request.end();
    assert.equal((await failure(request)).message, "no");
    assert.equal(agent.totalSocketCount, 0);
    assert.equal(agent.getCurrentStatus().createSocketErrorCount, 1);
  }
});

test("createConnection may give any stream, and an idle one is watched like a socket", async (t) => {
  let stream: Duplex | null = null;
  const agent = makeAgent(t, { keepAliveMsecs: 60_000 });
  agent.createConnection = () => {
    stream = new Duplex({
      read() {},
      write(_chunk, _encoding, written) {
        this.push("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        written();
      },
    });
    return stream;
  };
  const read = async (): Promise<string> => {
    const request = begin("http://nowhere.test", { agent });
    const closed = once(request, "close");
    request.end();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    let body = "";
    for await (const text of response.setEncoding("utf8")) body += text;
    await closed;
    await new Promise((resolve) => setImmediate(resolve));
    return body;
  };
  assert.deepEqual([await read(), await read()], ["hi", "hi"]);
  assert.equal(countOf(agent.freeSockets), 1);
  const first = stream as unknown as Duplex;
  first.push("unasked");
  await until(() => first.destroyed);
  assert.equal(agent.totalSocketCount, 0);
  assert.equal(await read(), "hi");
  assert.notEqual(stream, first);
});

test("createSocket of a program is used, with the request that asks", async (t) => {
  const server = await plainServer(t);
  const asked: http.ClientRequest[] = [];
  class Base extends Agent {
    override createSocket(
      request: http.ClientRequest,
      options: http.RequestOptions,
      callback: (error: Error | null | undefined, socket?: Socket) => void,
    ): void {
      asked.push(request);
      setImmediate(() => super.createSocket(request, options, callback));
    }
  }
  const agent = new Base();
  t.after(() => agent.destroy());
  const { request } = await get(server.origin, { agent });
  assert.equal((await get(server.origin, { agent })).reused, true);
  assert.deepEqual(asked, [request]);
});

test("getName of a program decides who may share a socket", async (t) => {
  const server = await plainServer(t);
  class Named extends Agent {
    override getName(options?: http.ClientRequestArgs): string {
      return `${super.getName(options)}#${(options as { tenant?: string }).tenant ?? ""}`;
    }
  }
  const agent = new Named();
  t.after(() => agent.destroy());
  const of = (tenant: string) => get(server.origin, { agent, tenant } as http.RequestOptions);
  const [a, b, again] = [await of("a"), await of("b"), await of("a")];
  assert.notEqual(a.port, b.port);
  assert.equal(again.port, a.port);
  assert.deepEqual(Object.keys(agent.freeSockets).sort(), [
    `127.0.0.1:${server.port}:#a`,
    `127.0.0.1:${server.port}:#b`,
  ]);
});

test("a program's AsyncLocalStorage follows each request, also one that waited and one on a socket of another", async (t) => {
  const server = await holdingServer(t);
  const agent = makeAgent(t, { maxSockets: 1 });
  const storage = new AsyncLocalStorage<number>();
  const seen: (number | undefined)[][] = [];
  const all = [1, 2, 3].map((number) =>
    storage.run(number, () => {
      const own: (number | undefined)[] = [];
      seen.push(own);
      const note = (): void => {
        own.push(storage.getStore());
      };
      const request = begin(server.origin, { agent });
      request.on("socket", note).on("response", (response: http.IncomingMessage) => {
        note();
        response.resume().on("end", note);
      });
      request.end();
      return once(request, "close");
    }),
  );
  for (let count = 0; count < 3; count++) (await server.next()).response.end("body");
  await Promise.all(all);
  assert.deepEqual(seen, [
    [1, 1, 1],
    [2, 2, 2],
    [3, 3, 3],
  ]);
});

test("addRequest takes host, port and local address one by one, as of old", async (t) => {
  const server = await plainServer(t);
  const agent = makeAgent(t);
  const request = http.request({
    agent: {
      addRequest: (req: http.ClientRequest) =>
        agent.addRequest(req, "127.0.0.1", server.port, "127.0.0.4"),
    } as unknown as http.Agent,
    host: "127.0.0.1",
    port: server.port,
  });
  request.end();
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  assert.equal(response.socket.localAddress, "127.0.0.4");
  response.resume();
  await once(request, "close");
});
