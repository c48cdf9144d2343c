/**
 * Request heads as they stand on the wire, and what is refused before a byte of them is written.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type HeaderFields, InvalidRequestError, type RequestOptions } from "../../src/index.ts";
import { makeClient, rejection } from "../support/client-kit.ts";
import { ok, type RawRequest, rawServer } from "../support/raw-server.ts";

/** The request as it arrives for `options`. */
async function sent(t: TestContext, options: RequestOptions, path = "/"): Promise<RawRequest> {
  let arrived: RawRequest | undefined;
  const server = await rawServer(t, async (connection) => {
    arrived = await connection.request();
    await connection.send(ok());
  });
  await makeClient(t).request(new URL(path, server.origin), options);
  assert.ok(arrived);
  return arrived;
}

const web = new Headers([
  ["X-One", "1"],
  ["X-Two", "a"],
  ["x-two", "b"],
]);

const forms: readonly { what: string; headers: HeaderFields; lines: [string, string][] }[] = [
  {
    what: "an object",
    headers: { "X-One": "1", "X-Number": 2, "X-Empty": "", "X-Absent": undefined },
    lines: [
      ["x-one", "1"],
      ["x-number", "2"],
      ["x-empty", ""],
    ],
  },
  {
    what: "an object with arrays",
    headers: { "X-Two": ["a", "b"], "X-None": [], "X-One": ["1"] },
    lines: [
      ["x-two", "a"],
      ["x-two", "b"],
      ["x-one", "1"],
    ],
  },
  {
    what: "pairs",
    headers: [
      ["X-Two", "a"],
      ["X-One", 1],
      ["X-Two", ["b", "c"]],
    ],
    lines: [
      ["x-two", "a"],
      ["x-one", "1"],
      ["x-two", "b"],
      ["x-two", "c"],
    ],
  },
  {
    what: "a Map",
    headers: new Map([
      ["X-One", "1"],
      ["x-two", "2"],
    ]),
    lines: [
      ["x-one", "1"],
      ["x-two", "2"],
    ],
  },
  {
    what: "Headers",
    headers: web,
    lines: [
      ["x-one", "1"],
      ["x-two", "a, b"],
    ],
  },
];

for (const { what, headers, lines } of forms) {
  test(`header fields given as ${what} are sent in order, beside Host and Connection`, async (t) => {
    const { fields } = await sent(t, { headers });
    const own = fields.filter(([name]) => name === "host" || name === "connection");
    assert.deepEqual(own.map(([name]) => name).sort(), ["connection", "host"]);
    assert.deepEqual(
      fields.filter((each) => !own.includes(each)),
      lines,
    );
  });
}

test("names are sent as they were written, values as Latin-1", async (t) => {
  let raw = "";
  const server = await rawServer(t, async (connection) => {
    raw = await connection.through("\r\n\r\n");
    await connection.send(ok());
  });
  const headers = { "x-MiXeD-Case": "caf\xe9 \t!\x80\xff" };
  await makeClient(t).request(server.origin, { headers });
  assert.ok(raw.includes("\r\nx-MiXeD-Case: caf\xe9 \t!\x80\xff\r\n"), raw);
});

test("a request names its host once, with its port, unless the program names another", async (t) => {
  const plain = await sent(t, {});
  assert.match(plain.field("host") ?? "", /^127\.0\.0\.1:\d+$/);
  assert.equal((await sent(t, { headers: { HOST: "other.test" } })).field("host"), "other.test");
});

test("path and query go out as the URL has them, in origin-form and percent-encoded", async (t) => {
  const path = "/a b/%2F/é?x=1&y=a b#fragment";
  const query = { z: ["1", 2, true], "n m": "a&b=c", skipped: undefined };
  const { line } = await sent(t, { query }, path);
  assert.equal(line, "GET /a%20b/%2F/%C3%A9?x=1&y=a+b&z=1&z=2&z=true&n+m=a%26b%3Dc HTTP/1.1");
  const params = new URLSearchParams([
    ["b", "2"],
    ["b", "3"],
  ]);
  assert.equal((await sent(t, { query: params }, "/?a=1")).path, "/?a=1&b=2&b=3");
  assert.equal((await sent(t, {}, "/?x=1&y=a b")).path, "/?x=1&y=a%20b");
});

test("user and password of a URL become Authorization, unless the program gave one", async (t) => {
  const basic = Buffer.from("us:er:p\u00e4ss").toString("base64");
  const arrived: (string | undefined)[] = [];
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      arrived.push((await connection.request()).field("authorization"));
      await connection.send(ok());
    }
  });
  const client = makeClient(t);
  const url = `http://us%3Aer:p%C3%A4ss@127.0.0.1:${server.port}/`;
  await client.request(url);
  await client.request(url, { headers: { Authorization: "Bearer mine" } });
  await client.request(server.origin);
  assert.deepEqual(arrived, [`Basic ${basic}`, "Bearer mine", undefined]);
});

test("methods go out in upper case", async (t) => {
  for (const method of ["delete", "Options", "PROPFIND", "m-search"]) {
    assert.equal((await sent(t, { method })).method, method.toUpperCase());
  }
});

const bad = [
  ["CR", "\r"],
  ["LF", "\n"],
  ["CRLF and a field", "\r\nx-injected: 1"],
  ["CRLF and a request", " HTTP/1.1\r\n\r\nGET /injected HTTP/1.1\r\n\r\n"],
  ["NUL", "\0"],
  ["DEL", "\x7f"],
  ["a control character", "\x0b"],
  ["a character beyond Latin-1", "\u010a"], // its low byte is LF
  ["an emoji", "\ud83d\ude00"],
] as const;

const refused: { what: string; options: RequestOptions }[] = bad.flatMap(([what, text]) => [
  { what: `${what} in a header value`, options: { headers: { "x-a": `a${text}b` } } },
  { what: `${what} at the end of a header value`, options: { headers: { "x-a": `a${text}` } } },
  { what: `${what} in a value of an array`, options: { headers: { "x-a": ["a", `b${text}`] } } },
  { what: `${what} in a value of a pair`, options: { headers: [["x-a", `b${text}`]] } },
  { what: `${what} in a header name`, options: { headers: { [`x${text}a`]: "b" } } },
  { what: `${what} in a name of a pair`, options: { headers: [[`x-a${text}`, "b"]] } },
  { what: `${what} in the host`, options: { headers: { host: `a${text}` } } },
  { what: `${what} in the content type`, options: { headers: { "content-type": `a${text}` } } },
  { what: `${what} in the method`, options: { method: `GET${text}` } },
]);

for (const [name, value] of [
  ["Transfer-Encoding", "chunked"],
  ["transfer-encoding", "identity"],
  ["Keep-Alive", "timeout=5"],
  ["Proxy-Connection", "close"],
  ["Upgrade", "websocket"],
  ["Trailer", "x-check"],
  ["Connection", "upgrade"],
  ["Connection", "close, x-hop"],
  ["Connection", ""],
  ["Expect", "200-ok"],
  ["Content-Length", "5"],
  ["Content-Length", "-1"],
  ["Content-Length", "0x0"],
  ["Content-Length", "0, 0"],
  ["Content-Length", ""],
  ["", "empty name"],
  ["a b", "space in a name"],
  ["a:", "colon in a name"],
  [":path", "pseudo field"],
] as const) {
  refused.push({ what: `the field "${name}: ${value}"`, options: { headers: { [name]: value } } });
}

refused.push(
  {
    what: "two Hosts",
    options: {
      headers: [
        ["host", "a"],
        ["Host", "b"],
      ],
    },
  }, // prettier
  { what: "two Hosts in an array", options: { headers: { host: ["a", "b"] } } },
  {
    what: "two Content-Lengths",
    options: {
      method: "POST",
      body: "a",
      headers: [
        ["content-length", "1"],
        ["Content-Length", "1"],
      ],
    },
  },
  {
    what: "a Content-Length of less than the body",
    options: { method: "POST", body: "hello", headers: { "content-length": "4" } },
  },
  {
    what: "a Content-Length of more than the body",
    options: { method: "POST", body: Buffer.from("hello"), headers: { "content-length": "6" } },
  },
  {
    what: "a Content-Length in characters rather than bytes",
    options: { method: "POST", body: "h\u00e9", headers: { "content-length": 2 } },
  },
  {
    what: "a Content-Length that is not a Blob's",
    options: { method: "POST", body: new Blob(["hello"]), headers: { "content-length": "4" } },
  },
  { what: "an empty method", options: { method: "" } },
  { what: "CONNECT", options: { method: "CONNECT" } },
  { what: "TRACE with a body", options: { method: "TRACE", body: "hello" } },
  { what: "body and json", options: { method: "POST", body: "a", json: 1 } },
);

// What the types forbid, programs in JavaScript do all the same.
for (const [what, options] of [
  ["a header value of null", { headers: { "x-a": null } }],
  ["a header value that is an object", { headers: { "x-a": { toString: () => "a\r\nb" } } }],
  ["a header value in an array that is an array", { headers: { "x-a": [["b"]] } }],
  ["a header value of undefined in a pair", { headers: [["x-a", undefined]] }],
  ["a header name that is a number", { headers: [[1, "b"]] }],
  ["pairs that are no pairs", { headers: [["x-a", "b", "c"]] }],
  ["headers in a flat array", { headers: ["x-a", "b"] }],
  ["headers in a string", { headers: "x-a: b" }],
  ["headers of null", { headers: null }],
  ["a method that is a number", { method: 1 }],
  ["a method of null", { method: null }],
  ["a body that is a number", { method: "POST", body: 5 }],
  ["a body that is an object", { method: "POST", body: { a: 1 } }],
  ["a body that is an array", { method: "POST", body: ["a"] }],
  ["json that refers to itself", { method: "POST", json: circular() }],
  ["json that is a function", { method: "POST", json: () => 1 }],
  ["a query that is a string", { query: "a=b" }],
  ["a query value that is an object", { query: { a: {} } }],
  ["a query value of null", { query: { a: null } }],
] as const) {
  refused.push({ what, options: options as unknown as RequestOptions });
}

function circular(): object {
  const self: { self?: object } = {};
  self.self = self;
  return self;
}

test("what would say something else on the wire than was meant is refused before a socket is opened", async (t) => {
  const server = await rawServer(t, () => {});
  const client = makeClient(t);
  for (const { what, options } of refused) {
    await t.test(what, async () => {
      const error = await rejection(client.request(server.origin, options), InvalidRequestError);
      assert.equal(error.code, "ERR_KEEPLINE_INVALID_REQUEST");
      assert.equal(error.requestSent, false);
      // Nor does a message carry a line end into a log.
      assert.match(error.message, /^[ -\uffff]*$/);
    });
  }
  assert.deepEqual(client.stats().origins, []);
  assert.equal(server.connectionCount, 0);
});

test("a method with something around it is refused with the one that was meant", async (t) => {
  const request = makeClient(t).request("http://127.0.0.1/", { method: " post" });
  const { message } = await rejection(request, InvalidRequestError);
  assert.equal(message, 'method must be a name such as GET, not " post"; did you mean POST?');
});

test("line ends in a URL or query reach the server percent-encoded or not at all", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      const { line, fields, body } = await connection.request();
      await connection.send(ok(JSON.stringify([line, fields.length, body.length])));
    }
  });
  const client = makeClient(t);
  const evil = " HTTP/1.1\r\nx-injected: 1\r\n\r\nGET /";
  for (const [url, options] of [
    [`${server.origin}/${evil}`, {}],
    [`${server.origin}/?a=${evil}`, {}],
    [`${server.origin}/\0`, {}],
    [server.origin, { query: { a: evil, [evil]: "b" } }],
    [server.origin, { query: new URLSearchParams([[evil, evil]]) }],
  ] as const) {
    const { body } = await client.request(url, options);
    const [line, fieldCount, bodyBytes] = (await body.json()) as [string, number, number];
    assert.match(line, /^GET \/[!-~]* HTTP\/1\.1$/);
    assert.equal(fieldCount, 2);
    assert.equal(bodyBytes, 0);
  }
  assert.equal(server.connectionCount, 1);
});

for (const url of [
  "/relative",
  "",
  "http://",
  "ftp://127.0.0.1/",
  "file:///etc/passwd",
  "http://127.0.0.1:99999/",
  "http://a b/",
]) {
  test(`the URL ${JSON.stringify(url)} is refused`, async (t) => {
    const client = makeClient(t);
    await rejection(client.request(url), InvalidRequestError);
    assert.deepEqual(client.stats().origins, []);
  });
}
