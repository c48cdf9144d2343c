/**
 * What a handler of either kind is told by `client.dispatcher()`, in which order, and how often.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { DispatchHandler } from "../../src/surfaces/undici/index.ts";
import { isSettled, makeClient, statsOf, until } from "../support/client-kit.ts";
import { dispatched, kinds, recorder } from "../support/dispatch-kit.ts";
import { holdingServer, plainServer } from "../support/loopback.ts";
import { rawServer } from "../support/raw-server.ts";

const head = "HTTP/1.1 200 Fine\r\nX-Name: one\r\nX-Name: two\r\ncontent-length: 5\r\n\r\n";

for (const kind of kinds) {
  test(`a ${kind} handler is told of start, head, data and end, once each`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(`${head}hello`);
    });
    const { origin } = server;
    const told = await dispatched(makeClient(t).dispatcher(), { origin }, kind);
    assert.deepEqual(told.events, ["start", "started", "head 200", "data", "end"]);
    assert.equal(told.text, "hello");
    assert.equal(told.heads[0]?.statusText, "Fine");
    assert.deepEqual(told.trailers, {});
    const names = told.heads[0]?.headers["x-name"];
    assert.deepEqual(names, kind === "legacy" ? "two" : ["one", "two"]);
  });

  test(`a ${kind} handler gets every interim head before the final one`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
      await connection.send("HTTP/1.1 102 Processing\r\n\r\n");
      await connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    const { origin } = server;
    const told = await dispatched(makeClient(t).dispatcher(), { origin }, kind);
    assert.deepEqual(told.events, ["start", "started", "head 103", "head 102", "head 204", "end"]);
    assert.equal(told.heads[0]?.headers.link, "</a>");
  });

  test(`a ${kind} handler gets trailers`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
      );
    });
    const { origin } = server;
    const told = await dispatched(makeClient(t).dispatcher(), { origin }, kind);
    assert.deepEqual(told.trailers, { "x-sum": "7" });
  });

  test(`a paused ${kind} handler gets nothing until it resumes, and the server is not read`, async (t) => {
    const sentBytes = 64 * 1024 * 1024;
    let taken = 0;
    const server = await plainServer(t, (_request, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (taken < sentBytes) {
          taken += chunk.length;
          if (!response.write(chunk)) {
            response.once("drain", more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const client = makeClient(t);
    const told = recorder(kind, { data: ({ chunks }) => chunks.length === 1 });
    const { origin } = server;
    client.dispatcher().dispatch({ origin, path: "/", method: "GET" }, told.handler);
    await until(() => told.chunks.length === 1);
    assert.equal(await isSettled(told.over, 200), false);
    assert.equal(told.chunks.length, 1);
    assert.ok(taken < sentBytes / 2, `the server could send ${taken} bytes`);
    told.resume();
    await told.over;
    assert.equal(
      told.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      sentBytes,
    );
  });

  test(`a ${kind} handler that pauses on the head gets body and end when it resumes`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(`${head}hello`);
    });
    const client = makeClient(t);
    const told = recorder(kind, { head: () => true });
    const { origin } = server;
    client.dispatcher().dispatch({ origin, path: "/", method: "GET" }, told.handler);
    await told.headed;
    assert.equal(await isSettled(told.over), false);
    assert.deepEqual(told.events, ["start", "started", "head 200"]);
    // All of it has come: its connection is free although nobody took it.
    assert.equal(statsOf(client).sockets.idle, 1);
    told.resume();
    assert.deepEqual(told.events, ["start", "started", "head 200", "data", "end"]);
  });

  test(`what a ${kind} handler throws from any callback ends the request with that error, once`, async (t) => {
    const server = await plainServer(t, (_request, response) => {
      response.write("a");
      response.end("b");
    });
    const { origin } = server;
    for (const name of ["start", "head", "data", "end"] as const) {
      const client = makeClient(t);
      const thrown = new Error(`from ${name}`);
      const behaviour = {
        [name]: () => {
          throw thrown;
        },
      };
      const told = await dispatched(client.dispatcher(), { origin }, kind, behaviour);
      await until(() => told.error !== null);
      assert.equal(told.error, thrown);
      assert.equal(told.events.filter((each) => each === "error").length, 1);
      assert.equal(told.events.at(-1), "error");
      assert.equal(client.stats().client.sockets.busy, 0);
    }
  });

  test(`what the last callback of a ${kind} handler throws is an event of the dispatcher, or a warning`, async (t) => {
    const client = makeClient(t);
    const dispatcher = client.dispatcher();
    const thrown = new Error("from error");
    const behaviour = {
      error: () => {
        throw thrown;
      },
    };
    const warned = once(process, "warning");
    await dispatched(dispatcher, { origin: "http://127.0.0.1:1" }, kind, behaviour);
    const [warning] = (await warned) as [Error & { code: string }];
    assert.equal(warning.code, "KEEPLINE_HANDLER_THREW");
    assert.match(warning.message, /from error/);
    const heard: unknown[] = [];
    dispatcher.on("error", (error) => heard.push(error));
    await dispatched(dispatcher, { origin: "http://127.0.0.1:1" }, kind, behaviour);
    assert.deepEqual(heard, [thrown]);
  });

  test(`a ${kind} handler can abort in its first callback: nothing is sent`, async (t) => {
    const server = await plainServer(t);
    const client = makeClient(t);
    const reason = new Error("changed my mind");
    const { origin } = server;
    const told = await dispatched(client.dispatcher(), { origin }, kind, {
      start: (self) => self.abort(reason),
    });
    assert.deepEqual(told.events, ["start", "error"]);
    assert.equal(told.error, reason);
    assert.equal(client.stats().client.sockets.open, 0);
    assert.equal(server.connectionCount, 0);
  });

  test(`a ${kind} handler gets whatever it aborts with`, async (t) => {
    const dispatcher = makeClient(t).dispatcher();
    const told = await dispatched(dispatcher, { origin: "http://127.0.0.1:1" }, kind, {
      start: (self) => self.abort("a string" as never),
    });
    assert.equal(told.error, "a string");
  });

  test(`a ${kind} handler can abort a request that waits for a socket, at once`, async (t) => {
    const server = await holdingServer(t);
    const client = makeClient(t, { maxSockets: 1 });
    const dispatcher = client.dispatcher();
    const { origin } = server;
    const first = recorder(kind);
    const second = recorder(kind);
    dispatcher.dispatch({ origin, path: "/1", method: "GET" }, first.handler);
    dispatcher.dispatch({ origin, path: "/2", method: "GET" }, second.handler);
    const { response } = await server.next();
    assert.equal(client.stats().client.pending, 1);
    second.abort();
    assert.deepEqual(second.events, ["start", "error"]);
    assert.equal(second.error?.code, "UND_ERR_ABORTED");
    assert.equal(second.error?.name, "AbortError");
    assert.equal(client.stats().client.pending, 0);
    response.end("ok");
    await first.over;
    assert.equal(first.text, "ok");
  });

  test(`a ${kind} handler can abort before the head, between pieces, while paused, and after the end`, async (t) => {
    const server = await holdingServer(t);
    const { origin } = server;
    const client = makeClient(t);
    const dispatcher = client.dispatcher();
    const options = { origin, path: "/", method: "GET" };
    const reason = new Error("enough");

    const before = recorder(kind);
    dispatcher.dispatch(options, before.handler);
    await server.next();
    before.abort(reason);
    assert.deepEqual(before.events, ["start", "error"]);

    const during = recorder(kind, { data: (self) => self.abort(reason) });
    dispatcher.dispatch(options, during.handler);
    (await server.next()).response.write("some");
    await during.over;
    assert.deepEqual(during.events, ["start", "started", "head 200", "data", "error"]);

    const paused = recorder(kind, { data: () => true });
    dispatcher.dispatch(options, paused.handler);
    const held = await server.next();
    held.response.write("some");
    await until(() => paused.chunks.length === 1);
    held.response.end("more");
    await until(() => client.stats().client.sockets.idle === 1 || held.response.writableFinished);
    paused.abort(reason);
    assert.deepEqual(paused.events, ["start", "started", "head 200", "data", "error"]);
    assert.equal(paused.error, reason);

    const after = recorder(kind);
    dispatcher.dispatch(options, after.handler);
    (await server.next()).response.end("all");
    await after.over;
    after.abort(reason);
    assert.equal(after.events.at(-1), "end");
  });

  test(`a ${kind} handler is told of the start once when a request is sent again`, async (t) => {
    const seen = new WeakSet<object>();
    const server = await plainServer(t, (request, response) => {
      if (seen.has(request.socket)) request.socket.destroy();
      else response.end("ok");
      seen.add(request.socket);
    });
    const { origin } = server;
    const client = makeClient(t);
    const dispatcher = client.dispatcher();
    await dispatched(dispatcher, { origin }, kind);
    const told = await dispatched(dispatcher, { origin }, kind);
    assert.deepEqual(told.events, ["start", "started", "head 200", "data", "end"]);
    assert.equal(statsOf(client).resent, 1);
  });

  test(`an upgrade hands its socket to a ${kind} handler, with what came behind the head`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      const request = await connection.request();
      assert.equal(request.field("upgrade"), "echo");
      assert.equal(request.field("connection"), "upgrade");
      await connection.send(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nfirst",
      );
    });
    const { origin } = server;
    const client = makeClient(t);
    const told = await dispatched(client.dispatcher(), { origin, upgrade: "echo" }, kind);
    assert.deepEqual(told.events, ["start", "started", "upgrade 101"]);
    assert.equal(told.heads[0]?.headers.upgrade, "echo");
    const [bytes] = (await once(told.socket as NodeJS.EventEmitter, "data")) as [Buffer];
    assert.equal(bytes.toString(), "first");
    assert.equal(client.stats().client.sockets.open, 0);
    told.socket?.destroy();
  });

  test(`CONNECT hands its tunnel to a ${kind} handler`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      const request = await connection.request();
      assert.equal(request.method, "CONNECT");
      assert.equal(request.path, "example.com:443");
      await connection.send("HTTP/1.1 200 Connected\r\n\r\n");
    });
    const { origin } = server;
    const options = { origin, method: "CONNECT", path: "example.com:443" };
    const told = await dispatched(makeClient(t).dispatcher(), options, kind);
    assert.deepEqual(told.events, ["start", "started", "upgrade 200"]);
    told.socket?.destroy();
  });

  test(`a tunnel that is refused is a response to a ${kind} handler, or an error if it takes none`, async (t) => {
    const server = await plainServer(t, (_request, response) => {
      response.writeHead(400).end("no");
    });
    const { origin } = server;
    const dispatcher = makeClient(t).dispatcher();
    const told = await dispatched(dispatcher, { origin, upgrade: "echo" }, kind);
    assert.deepEqual(told.events, ["start", "started", "head 400", "data", "end"]);
    const narrow = recorder(kind);
    const { onHeaders: _, onResponseStart: __, ...handler } = narrow.handler as DispatchHandler;
    dispatcher.dispatch({ origin, path: "/", method: "GET", upgrade: "echo" }, handler);
    await narrow.over;
    assert.equal(narrow.error?.code, "UND_ERR_SOCKET");
  });

  test(`a ${kind} handler is told of the pieces of the body, and when the request is sent`, async (t) => {
    const server = await plainServer(t);
    const { origin } = server;
    const dispatcher = makeClient(t).dispatcher();
    async function* pieces() {
      yield "one";
      yield Buffer.from("two");
    }
    for (const [body, expected] of [
      ["text", ["text"]],
      [Buffer.from("bytes"), ["bytes"]],
      [pieces(), ["one", "two"]],
    ] as const) {
      const sent: string[] = [];
      let sentCount = 0;
      await dispatched(dispatcher, { origin, method: "POST", body }, kind, {
        bodySent: (chunk) => void sent.push(Buffer.from(chunk).toString()),
        requestSent: () => void sentCount++,
      });
      assert.deepEqual(sent, expected);
      assert.equal(sentCount, 1);
    }
  });

  test(`what is wrong with a request is told to a ${kind} handler alone`, async (t) => {
    const dispatcher = makeClient(t).dispatcher();
    const origin = "http://127.0.0.1:1";
    const wrong: [object, string][] = [
      [{ path: 5 }, "path must be a string"],
      [{ path: "x" }, "path must be an absolute URL or start with a slash"],
      [{ path: "/a b" }, "invalid request path"],
      [{ path: "/a\r\nb" }, "invalid request path"],
      [{ method: 5 }, "method must be a string"],
      [{ method: "A B" }, "invalid request method"],
      [{ upgrade: 5 }, "upgrade must be a string"],
      [{ upgrade: "a\nb" }, "invalid upgrade header"],
      [{ headersTimeout: -1 }, "invalid headersTimeout"],
      [{ bodyTimeout: "1" }, "invalid bodyTimeout"],
      [{ reset: 1 }, "invalid reset"],
      [{ expectContinue: 1 }, "invalid expectContinue"],
      [{ headers: ["a"] }, "headers array must be even"],
      [{ headers: 5 }, "headers must be an object or an array"],
      [{ headers: [["a"]].values() }, "headers must be in key-value pair format"],
      [{ headers: { "keep-alive": "x" } }, "invalid keep-alive header"],
      [{ headers: { "transfer-encoding": "chunked" } }, "invalid transfer-encoding header"],
      [{ headers: { upgrade: "x" } }, "invalid upgrade header"],
      [{ headers: { connection: "a b" } }, "invalid connection header"],
      [{ headers: { a: {} } }, "invalid a header"],
      [
        { query: { a: 1 }, path: "/?b" },
        'Query params cannot be passed when url already contains "?" or "#".',
      ],
      [{ origin: "" }, "opts.origin must be a non-empty string or URL."],
      [{ origin: "http://127.0.0.1:1/path" }, "invalid url"],
      [{ maxRedirections: 3 }, "maxRedirections is not supported, use the redirect interceptor"],
      [
        { body: 5 },
        "body must be a string, a Buffer, a Readable stream, an iterable, or an async iterable",
      ],
    ];
    for (const [options, message] of wrong) {
      const told = await dispatched(dispatcher, { origin, ...options }, kind);
      assert.deepEqual(told.events, ["error"], message);
      assert.equal(told.error?.message, message);
      assert.equal(told.error?.code, "UND_ERR_INVALID_ARG");
    }
    const unknown = await dispatched(
      dispatcher,
      { origin, headers: { expect: "100-continue" } },
      kind,
    );
    assert.equal(unknown.error?.code, "UND_ERR_NOT_SUPPORTED");
    for (const headers of [{ "a b": "x" }, { a: "x\r\nb: y" }, { "content-length": "x" }]) {
      const told = await dispatched(dispatcher, { origin, headers }, kind);
      assert.equal(told.error?.code, "UND_ERR_INVALID_ARG");
    }
  });
}

test("a handler that lacks a callback for its request is refused", async (t) => {
  const dispatcher = makeClient(t).dispatcher();
  const options = { origin: "http://127.0.0.1:1", path: "/", method: "GET" };
  for (const name of ["onConnect", "onHeaders", "onData", "onComplete"]) {
    const told = recorder("legacy");
    dispatcher.dispatch(options, { ...told.handler, [name]: undefined });
    assert.equal(told.error?.message, `invalid ${name} method`);
  }
  const told = recorder("legacy");
  dispatcher.dispatch(
    { ...options, upgrade: "x" },
    { ...told.handler, onUpgrade: undefined as never },
  );
  assert.equal(told.error?.message, "invalid onUpgrade method");
  assert.throws(() => dispatcher.dispatch(options, null as unknown as DispatchHandler), {
    code: "UND_ERR_INVALID_ARG",
    message: "handler must be an object",
  });
  assert.throws(() => dispatcher.dispatch(options, {}), { code: "UND_ERR_INVALID_ARG" });
  const none = recorder("modern");
  dispatcher.dispatch(null as never, none.handler);
  assert.equal(none.error?.message, "opts must be an object.");
});

test("a controller that pauses between two reads holds back what comes next, and the end", async (t) => {
  const server = await holdingServer(t);
  const { origin } = server;
  const client = makeClient(t);
  const told = recorder("modern");
  client.dispatcher().dispatch({ origin, path: "/", method: "GET" }, told.handler);
  const { response } = await server.next();
  response.write("one");
  await until(() => told.text === "one");
  told.controller?.pause();
  response.end("two");
  await until(() => client.stats().client.sockets.idle === 1);
  assert.equal(told.text, "one");
  told.controller?.resume();
  assert.equal(told.text, "onetwo");
  assert.equal(told.events.at(-1), "end");
});

test("a controller knows whether it is paused or aborted, and what came raw", async (t) => {
  const server = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(`${head}hello`);
  });
  const { origin } = server;
  const told = await dispatched(makeClient(t).dispatcher(), { origin }, "modern");
  const { controller } = told;
  assert.deepEqual(controller?.rawHeaders?.map(String), [
    ...["X-Name", "one", "X-Name", "two", "content-length", "5"],
  ]);
  assert.deepEqual(controller?.rawTrailers, []);
  assert.equal(controller?.aborted, false);
  assert.equal(controller?.paused, false);
  controller?.pause();
  assert.equal(controller?.paused, true);
  const reason = new Error("late");
  controller?.abort(reason);
  assert.equal(controller?.aborted, true);
  assert.equal(controller?.reason, reason);
  assert.equal(told.events.at(-1), "end");
});

test("what a handler does to its array of raw fields is nothing to the next one that gets the same head", async (t) => {
  const server = await plainServer(t, (_request, response) => {
    response.sendDate = false;
    response.end("same");
  });
  const dispatcher = makeClient(t).dispatcher();
  const heads: string[][] = [];
  for (let run = 0; run < 3; run++) {
    const told = recorder("legacy");
    const onHeaders: DispatchHandler["onHeaders"] = (_status, rawHeaders) => {
      heads.push(rawHeaders.map(String));
      rawHeaders.length = 0;
      return true;
    };
    dispatcher.dispatch(
      { origin: server.origin, path: "/", method: "GET" },
      { ...told.handler, onHeaders },
    );
    await told.over;
  }
  assert.ok((heads[0]?.length ?? 0) > 0);
  assert.deepEqual(heads[1], heads[0]);
  assert.deepEqual(heads[2], heads[0]);
});
