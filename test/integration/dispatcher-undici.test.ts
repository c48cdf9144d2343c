/**
 * undici 6, 7 and 8 over `client.dispatcher()`: their own API, their interceptors, and their class `Dispatcher`.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline as joined } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { asDispatcher, dispatcherFor } from "../../src/surfaces/undici/index.ts";
import { makeClient, statsOf, until } from "../support/client-kit.ts";
import { type Undici, undicis } from "../support/dispatch-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";
import { deadPort, listen } from "../support/raw-server.ts";

/** Answers with what it was asked; `/redirect` leads to `/`, `/gzip` is compressed, `/cached` may be kept. */
const echo: http.RequestListener = async (request, response) => {
  const body = await text(request);
  if (request.url === "/redirect") {
    response.writeHead(302, { location: "/" }).end();
  } else if (request.url === "/gzip") {
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("unpacked"));
  } else if (request.url === "/cached") {
    response.writeHead(200, { "cache-control": "public, max-age=60" }).end("keep me");
  } else {
    response.setHeader("x-method", request.method ?? "");
    response.end(`${request.method} ${request.url} ${body}`);
  }
};

async function started(t: TestContext) {
  const server = await plainServer(t, echo);
  const client = makeClient(t);
  const { origin } = server;
  const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
  return { server, client, origin, dispatcher };
}

for (const [name, undici] of undicis) {
  test(`${name}: request goes through the client, with body, headers and query`, async (t) => {
    const { origin, dispatcher, client } = await started(t);
    const got = await undici.request(`${origin}/path?a=b`, { dispatcher });
    assert.equal(got.statusCode, 200);
    assert.equal(got.headers["x-method"], "GET");
    assert.equal(await got.body.text(), "GET /path?a=b ");
    const again = await undici.request(origin, { dispatcher });
    assert.equal(await again.body.text(), "GET / ");
    assert.equal(statsOf(client).opened, 1);
    const posted = await undici.request(origin, {
      dispatcher,
      method: "POST",
      body: "hello",
      query: { q: 1 },
    });
    assert.equal(await posted.body.text(), "POST /?q=1 hello");
    assert.equal(statsOf(client).requests, 3);
  });

  test(`${name}: stream and pipeline go both ways`, async (t) => {
    const { origin, dispatcher } = await started(t);
    const pieces: Buffer[] = [];
    await undici.stream(`${origin}/s`, { dispatcher, method: "PUT", body: "in" }, () => {
      return new Writable({
        write(chunk, _encoding, done) {
          pieces.push(chunk);
          done();
        },
      });
    });
    assert.equal(Buffer.concat(pieces).toString(), "PUT /s in");
    const through = undici.pipeline(
      `${origin}/p`,
      { dispatcher, method: "POST" },
      ({ body }) => body,
    );
    const [, out] = await Promise.all([
      joined(Readable.from(["one", "two"]), through),
      text(through),
    ]);
    assert.equal(out, "POST /p onetwo");
  });

  test(`${name}: fetch follows redirects, unpacks and takes forms`, async (t) => {
    const { origin, dispatcher } = await started(t);
    const redirected = await undici.fetch(`${origin}/redirect`, { dispatcher });
    assert.equal(await redirected.text(), "GET / ");
    assert.equal(await (await undici.fetch(`${origin}/gzip`, { dispatcher })).text(), "unpacked");
    const body = new undici.FormData();
    body.append("name", "value");
    const posted = await undici.fetch(origin, { dispatcher, method: "POST", body });
    assert.match(await posted.text(), /name="name"\r\n\r\nvalue/);
  });

  test(`${name}: a status from 400 on rejects where the program asks for that, with the body, and the connection is used again`, async (t) => {
    const server = await plainServer(t, (request, response) => {
      if (request.url === "/fine") response.end("fine");
      else {
        response.writeHead(404, "Nowhere", { "content-type": "application/json", "x-why": "gone" });
        response.end('{"error":"none"}');
      }
    });
    const client = makeClient(t);
    const { origin } = server;
    const bare = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
    // undici 6 has an option for it, and the others an interceptor.
    const isOption = name === "undici 6";
    const dispatcher = isOption ? bare : bare.compose(undici.interceptors.responseError());
    const options = { dispatcher, ...(isOption && { throwOnError: true }) };
    const rejected = (error: Error & Record<string, unknown>) => {
      assert.equal(error.code, isOption ? "UND_ERR_RESPONSE_STATUS_CODE" : "UND_ERR_RESPONSE");
      assert.equal(error.statusCode, 404);
      assert.deepEqual(error.body, { error: "none" });
      assert.equal((error.headers as Record<string, unknown>)["x-why"], "gone");
      return true;
    };
    await assert.rejects(undici.request(`${origin}/none`, options), rejected);
    const [fine, none] = await Promise.allSettled([
      undici.request(`${origin}/fine`, options).then(({ body }) => body.text()),
      undici.request(`${origin}/none`, options),
    ]);
    assert.deepEqual(fine, { status: "fulfilled", value: "fine" });
    assert.ok(none.status === "rejected" && rejected(none.reason));
    const { opened, requests, sockets } = statsOf(client);
    assert.deepEqual([opened, requests, sockets.idle], [2, 3, 2]);
  });

  test(`${name}: a signal aborts a request that waits, runs or is read`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
    const { origin } = server;
    const [first, second] = [new AbortController(), new AbortController()];
    const running = undici.request(origin, { dispatcher, signal: first.signal });
    const waiting = undici.request(origin, { dispatcher, signal: second.signal });
    const held = await server.next();
    second.abort();
    await assert.rejects(waiting, { name: "AbortError" });
    assert.equal(client.stats().client.pending, 0);
    held.response.write("some");
    const { body } = await running;
    first.abort();
    await assert.rejects(body.text(), { name: "AbortError" });
    assert.equal(client.stats().client.sockets.open, 0);
  });

  test(`${name}: a slow reader holds the server back`, async (t) => {
    let taken = 0;
    const server = await plainServer(t, (_request, response) => {
      const more = (): void => {
        while (taken < 32 * 1024 * 1024) {
          taken += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    });
    const client = makeClient(t);
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
    const { body } = await undici.request(server.origin, { dispatcher });
    await until(() => taken > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(taken < 24 * 1024 * 1024, `${taken} bytes were taken`);
    let bytes = 0;
    for await (const chunk of body) bytes += (chunk as Buffer).length;
    assert.equal(bytes, 32 * 1024 * 1024);
  });

  test(`${name}: interim heads reach onInfo`, async (t) => {
    const server = await plainServer(t, (_request, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.end("ok");
    });
    const client = makeClient(t);
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
    const infos: number[] = [];
    const onInfo = ({ statusCode }: { statusCode: number }): void => void infos.push(statusCode);
    const { body } = await undici.request(server.origin, { dispatcher, onInfo } as never);
    assert.equal(await body.text(), "ok");
    assert.deepEqual(infos, [103]);
  });

  test(`${name}: upgrade and connect hand over the socket`, async (t) => {
    const server = http.createServer();
    server.on("upgrade", (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${request.headers.upgrade}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    server.on("connect", (_request, socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
    const { origin } = await listen(t, server);
    const client = makeClient(t);
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher());
    const upgraded = await undici.upgrade(origin, { dispatcher, protocol: "echo" });
    assert.equal(upgraded.headers.upgrade, "echo");
    const connected = await undici.connect(origin, { dispatcher });
    assert.equal(connected.statusCode, 200);
    for (const { socket } of [upgraded, connected]) {
      socket.write("ping");
      const [bytes] = (await once(socket, "data")) as [Buffer];
      assert.equal(bytes.toString(), "ping");
      socket.destroy();
    }
  });

  test(`${name}: a WebSocket opens, sends, receives and closes`, async (t) => {
    const { origin, received } = await webSocketServer(t);
    const client = makeClient(t);
    const socket = new undici.WebSocket(origin.replace("http:", "ws:"), {
      dispatcher: asDispatcher<InstanceType<Undici["Dispatcher"]>>(client.dispatcher()),
    });
    const [message] = (await once(socket, "message")) as unknown as [{ data: string }];
    assert.equal(message.data, "hello");
    socket.send("thanks");
    await until(() => received.length > 0);
    assert.deepEqual(received, ["thanks"]);
    const closed = once(socket, "close");
    socket.close();
    await closed;
  });

  test(`${name}: interceptors redirect, retry and throw away, alone and together`, async (t) => {
    let failures = 2;
    const server = await plainServer(t, (request, response) => {
      if (request.url === "/flaky" && failures-- > 0) response.writeHead(503).end();
      else if (request.url === "/gone" && failures-- > 0) request.socket.destroy();
      else void echo(request, response);
    });
    const { origin } = server;
    const client = makeClient(t);
    const { redirect, retry, dump } = undici.interceptors;
    const composed = client
      .dispatcher()
      .compose(
        retry({ minTimeout: 1, maxTimeout: 2 }) as never,
        redirect({ maxRedirections: 2 }) as never,
      );
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(composed);
    const redirected = await undici.request(`${origin}/redirect`, { dispatcher });
    assert.equal(await redirected.body.text(), "GET / ");
    const retried = await undici.request(`${origin}/flaky`, { dispatcher });
    assert.equal(await retried.body.text(), "GET /flaky ");
    failures = 2;
    const reset = await undici.request(`${origin}/gone`, { dispatcher });
    assert.equal(await reset.body.text(), "GET /gone ");
    const dumping = asDispatcher<InstanceType<Undici["Dispatcher"]>>(
      client.dispatcher().compose(dump({ maxSize: 1_000 }) as never),
    );
    const dumped = await undici.request(origin, { dispatcher: dumping });
    assert.equal(await dumped.body.text(), "");
  });

  test(`${name}: a refused connection is retried, and then reported by its code`, async (t) => {
    const origin = `http://127.0.0.1:${await deadPort()}`;
    const client = makeClient(t);
    const retry = undici.interceptors.retry({ maxRetries: 2, minTimeout: 1, maxTimeout: 2 });
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(
      client.dispatcher().compose(retry as never),
    );
    await assert.rejects(undici.request(origin, { dispatcher }), { code: "ECONNREFUSED" });
    assert.ok(statsOf(client).requests >= 3, `${statsOf(client).requests} tries`);
  });

  for (const kind of ["dns", "cache", "decompress"] as const) {
    const make = (undici.interceptors as Partial<Undici["interceptors"]>)[kind];
    if (make === undefined) continue;
    test(`${name}: its interceptor ${kind} works`, async (t) => {
      const { origin, client } = await started(t);
      const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(
        client.dispatcher().compose((make as () => never)()),
      );
      const url = kind === "dns" ? origin.replace("127.0.0.1", "localhost") : origin;
      const path = { dns: "/", cache: "/cached", decompress: "/gzip" }[kind];
      for (const _ of [1, 2]) {
        const { body } = await undici.request(url + path, { dispatcher });
        const expected = { dns: "GET / ", cache: "keep me", decompress: "unpacked" }[kind];
        assert.equal(await body.text(), expected);
      }
      const requests = client.stats().origins.reduce((sum, each) => sum + each.requests, 0);
      assert.equal(requests, kind === "cache" ? 1 : 2);
    });
  }

  test(`${name}: a class of its own Dispatcher can be made from a client`, async (t) => {
    const { origin, client } = await started(t);
    const KeeplineDispatcher = dispatcherFor(undici.Dispatcher);
    const dispatcher = new KeeplineDispatcher(client);
    assert.ok(dispatcher instanceof undici.Dispatcher);
    const got = await dispatcher.request({ origin, path: "/own", method: "GET" });
    assert.equal(await got.body.text(), "GET /own ");
    const fetched = await undici.fetch(`${origin}/fetched`, { dispatcher });
    assert.equal(await fetched.text(), "GET /fetched ");
    const composed = dispatcher.compose(undici.interceptors.redirect({ maxRedirections: 1 }));
    const redirected = await composed.request({ origin, path: "/redirect", method: "GET" });
    assert.equal(await redirected.body.text(), "GET / ");
    await dispatcher.close();
    await assert.rejects(dispatcher.request({ origin, path: "/", method: "GET" }), {
      code: "UND_ERR_DESTROYED",
    });
    assert.equal(statsOf(client).requests, 4);
  });

  test(`${name}: its RetryAgent takes a dispatcher of a client`, async (t) => {
    const { origin, dispatcher } = await started(t);
    const agent = new undici.RetryAgent(dispatcher);
    const { body } = await agent.request({ origin, path: "/", method: "GET" });
    assert.equal(await body.text(), "GET / ");
  });
}

test("interceptors of different versions stand around one dispatcher, under fetch of any kind", async (t) => {
  const { origin, client } = await started(t);
  const all = undicis.map(([, { interceptors }]) => interceptors.redirect({ maxRedirections: 2 }));
  for (const interceptors of [all, [...all].reverse()]) {
    const dispatcher = asDispatcher<InstanceType<Undici["Dispatcher"]>>(
      client.dispatcher().compose(...(interceptors as never[])),
    );
    for (const [, undici] of undicis) {
      const { body } = await undici.request(`${origin}/redirect`, { dispatcher });
      assert.equal(await body.text(), "GET / ");
      assert.equal(
        await (await undici.fetch(`${origin}/redirect`, { dispatcher })).text(),
        "GET / ",
      );
    }
    const own = await fetch(`${origin}/redirect`, { dispatcher: dispatcher as never });
    assert.equal(await own.text(), "GET / ");
  }
});

/** A server that speaks as much of RFC 6455 as it takes: it greets, and notes short texts. */
async function webSocketServer(t: TestContext) {
  const received: string[] = [];
  const server = http.createServer();
  server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"];
    socket.write(
      `${lines.join("\r\n")}\r\nsec-websocket-accept: ${accept}\r\n\r\n\x81\x05hello`,
      "latin1",
    );
    socket.on("data", (frame: Buffer) => {
      const length = (frame[1] as number) & 0x7f;
      const mask = frame.subarray(2, 6);
      const payload = frame
        .subarray(6, 6 + length)
        .map((byte, index) => byte ^ (mask[index % 4] as number));
      if (frame[0] === 0x81) received.push(Buffer.from(payload).toString());
      else if (frame[0] === 0x88) socket.end(Buffer.concat([Buffer.from([0x88, length]), payload]));
    });
  });
  return { ...(await listen(t, server)), received };
}
