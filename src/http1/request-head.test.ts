import assert from "node:assert/strict";
import http from "node:http";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { checkMethod, type HeaderFields, headFacts, writeFields } from "./request-head.ts";

const lines = (headers: HeaderFields) => writeFields(headers, headFacts());

function factsOf(headers: HeaderFields) {
  const facts = headFacts();
  return { lines: writeFields(headers, facts), ...facts };
}

/** Asserts that `attempt` is refused, and returns the message. */
function refusal(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    assert(error instanceof InvalidRequestError, String(error));
    assert.equal(error.requestSent, false);
    return error.message;
  }
  return assert.fail("was not refused");
}

/** What Node's server reads: names and values in turn, or null when it takes the request for invalid. */
function readByNode(head: string): Promise<string[] | null> {
  return new Promise((resolve) => {
    const server = http.createServer((request) => resolve(request.rawHeaders));
    server.on("clientError", () => resolve(null));
    const socket = new Duplex({ read: () => {}, write: (_, __, done) => done() });
    server.emit("connection", socket);
    socket.push(Buffer.from(head, "latin1"));
  });
}

test("fields are written in the order and spelling in which they are given", () => {
  const expected = "X-One: 1\r\nx-two: b\r\nX-THREE: 3.5\r\n";
  assert.equal(lines({ "X-One": "1", "x-two": "b", "X-THREE": 3.5 }), expected);
  const pairs: [string, string | number][] = [
    ["X-One", "1"],
    ["x-two", "b"],
    ["X-THREE", 3.5],
  ];
  assert.equal(lines(pairs), expected);
  assert.equal(lines(new Map(pairs)), expected);
  assert.equal(lines(pairs.values()), expected);
  assert.equal(lines({}), "");
  assert.equal(lines([]), "");
});

test("Headers are written as they iterate", () => {
  const headers = new Headers({ "X-B": "2", "X-A": "1" });
  headers.append("x-a", "3");
  assert.equal(lines(headers), "x-a: 1, 3\r\nx-b: 2\r\n");
});

test("an array is several lines, an undefined value none, an empty one an empty line's worth", () => {
  assert.equal(lines({ a: ["1", "2"], b: undefined, c: "", d: [] }), "a: 1\r\na: 2\r\nc: \r\n");
});

test("bytes above ASCII go out as Latin-1", () => {
  assert.equal(lines({ a: "\x80é\xff\t" }), "a: \x80é\xff\t\r\n");
});

test("no name or value that passes makes a line break, another field, or another reading by Node", async () => {
  const unit = fc.oneof(
    { arbitrary: fc.constantFrom(..."aZ0-_!~"), weight: 8 },
    { arbitrary: fc.constantFrom(...'\r\n\0\t :\x7f\x1féÿĀ😀,;="()'), weight: 1 },
  );
  const name = fc.array(unit, { minLength: 1, maxLength: 6 }).map((all) => `x${all.join("")}`);
  const value = fc.array(unit, { maxLength: 8 }).map((all) => all.join(""));
  const headers = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 3 });
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(headers, async (given) => {
      let written: string;
      try {
        written = lines(given);
      } catch (error) {
        assert(error instanceof InvalidRequestError);
        const isFine = ([name, value]: [string, string]) =>
          /^[-\w!~]+$/.test(name) && /^[-\w!~\t :éÿ,;="()]*$/.test(value);
        assert(!given.every(isFine), "refused without need");
        return;
      }
      passed++;
      assert.equal(written.split(/\r|\n/).length, 2 * given.length + 1);
      const read = await readByNode(`GET / HTTP/1.1\r\nhost: h\r\n${written}\r\n`);
      const expected = given.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, "")]);
      assert.deepEqual(read, ["host", "h", ...expected.flat()]);
    }),
    { numRuns: 400 },
  );
  assert(passed > 50, `only ${passed} passed`);
});

test("every code unit is judged alone: those of RFC 9110 pass and the others do not", () => {
  for (let code = 0; code < 0x180; code++) {
    const char = String.fromCharCode(code);
    const isValue = code === 9 || (code >= 0x20 && code !== 0x7f && code <= 0xff);
    const isName = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char);
    const value = () => lines({ a: `x${char}y` });
    const name = () => lines({ [`x${char}y`]: "a" });
    if (isValue) assert.doesNotThrow(value, `value ${code}`);
    else assert.match(refusal(value), /^header a has U\+[0-9A-F]{4} at index 1, which no field/);
    if (isName) assert.doesNotThrow(name, `name ${code}`);
    else assert.match(refusal(name), /is not a header name/);
  }
});

test("what is no field is refused, with its name and what was given", () => {
  const odd = (headers: unknown) => refusal(() => lines(headers as HeaderFields));
  assert.equal(odd("a: b"), 'headers must be an object or pairs of name and value, not "a: b"');
  assert.match(odd(5), /, not 5$/);
  assert.match(odd(null), /, not null$/);
  assert.match(odd(["a", "b"]), /^headers must be an object or pairs/);
  assert.match(odd([["a"]]), /^headers must be an object or pairs/);
  assert.match(odd([["a", "b", "c"]]), /^headers must be an object or pairs/);
  assert.equal(odd([[5, "b"]]), "a header name must be a string, not 5");
  assert.match(odd({ "": "a" }), /^"" is not a header name/);
  assert.match(odd({ "a b": "a" }), /^"a b" is not a header name/);
  assert.equal(odd({ a: true }), "header a must be a string or a number, not true");
  assert.equal(odd({ a: null }), "header a must be a string or a number, not null");
  assert.equal(odd({ a: { b: 1 } }), "header a must be a string or a number, not an object");
  assert.equal(odd({ a: [["b"]] }), "header a must be a string or a number, not an array");
  assert.equal(odd([["a", undefined]]), "header a must be a string or a number, not undefined");
  assert.equal(
    odd({ a: ["1", undefined] }),
    "header a must be a string or a number, not undefined",
  );
});

test("a value that is refused is not shown: it may be a secret that ends up in a log", () => {
  const message = refusal(() => lines({ authorization: "Bearer secret\n" }));
  assert.match(
    message,
    /^header authorization has U\+000A at index 13, which no field value may have/,
  );
  assert(!message.includes("secret"));
});

test("fields of the connection are refused: the pool looks after it", () => {
  for (const name of [
    "Transfer-Encoding",
    "keep-alive",
    "Proxy-Connection",
    "UPGRADE",
    "trailer",
  ]) {
    const message = refusal(() => lines({ [name]: "x" }));
    assert.match(message, new RegExp(`^header ${name} belongs to the connection`));
    assert.match(
      refusal(() => lines([[name, "x"]])),
      /belongs to the connection/,
    );
  }
});

test("Connection may be close or keep-alive, is not written here, and close wins", () => {
  for (const value of ["close", "Close", " CLOSE "]) {
    assert.deepEqual(factsOf({ Connection: value }), { ...headFacts(), lines: "", close: true });
  }
  assert.equal(factsOf({ connection: "Keep-Alive" }).close, false);
  const both: [string, string][] = [
    ["connection", "close"],
    ["connection", "keep-alive"],
  ];
  assert.equal(factsOf(both).close, true);
  for (const value of ["upgrade", "close, keep-alive", ""]) {
    assert.match(
      refusal(() => lines({ Connection: value })),
      /must be close or keep-alive, not "/,
    );
  }
});

test("Content-Length is a whole number, given once, and not written here", () => {
  const facts = factsOf({ "Content-Length": 5 });
  assert.equal(facts.contentLength, 5);
  assert.equal(facts.lines, "");
  assert.equal(factsOf({ "content-length": "0" }).contentLength, 0);
  for (const value of [
    "",
    "-1",
    "1.5",
    "0x5",
    "5, 5",
    " 5",
    "1e3",
    "9".repeat(16),
    Number.NaN,
    -5,
  ]) {
    assert.match(
      refusal(() => lines({ "content-length": value })),
      /^header content-length must be a whole number, not "/,
    );
  }
  const twice: [string, string][] = [
    ["content-length", "5"],
    ["Content-Length", "5"],
  ];
  assert.match(
    refusal(() => lines(twice)),
    /may be given once/,
  );
});

test("Expect may only ask for 100-continue, and is not written here", () => {
  assert.deepEqual(factsOf({ Expect: "100-Continue" }), {
    ...headFacts(),
    lines: "",
    expectContinue: true,
  });
  assert.match(
    refusal(() => lines({ expect: "200-ok" })),
    /must be 100-continue, not "200-ok"/,
  );
});

test("fields that replace keepline's own are noted, and may have one value", () => {
  const facts = factsOf({ HOST: "a", "Content-Type": "b", Authorization: "c" });
  assert.equal(facts.lines, "HOST: a\r\nContent-Type: b\r\nAuthorization: c\r\n");
  assert.deepEqual(
    [facts.hasHost, facts.hasContentType, facts.hasAuthorization],
    [true, true, true],
  );
  for (const name of ["host", "content-length", "content-type", "authorization", "connection"]) {
    assert.match(
      refusal(() => lines({ [name]: ["1", "1"] })),
      /must have one value, not 2/,
    );
    assert.doesNotThrow(() => lines({ [name]: [name === "connection" ? "close" : "1"] }));
  }
  for (const name of ["host", "content-length", "content-type", "authorization"]) {
    const twice: [string, string][] = [
      [name, "1"],
      [name.toUpperCase(), "1"],
    ];
    assert.match(
      refusal(() => lines(twice)),
      /may be given once$/,
    );
  }
});

test("names of JavaScript's own are names like others", () => {
  const headers = Object.fromEntries([
    ["__proto__", "1"],
    ["constructor", "2"],
    ["toString", "3"],
  ]);
  assert.equal(lines(headers), "__proto__: 1\r\nconstructor: 2\r\ntoString: 3\r\n");
});

test("so many names that they are forgotten are judged as before", () => {
  for (let count = 0; count < 2_500; count++) lines({ [`x-${count}`]: "" });
  assert.equal(lines({ "x-0": "" }), "x-0: \r\n");
  assert.match(
    refusal(() => lines({ upgrade: "x" })),
    /belongs to the connection/,
  );
});

test("a method is a token, in upper case", () => {
  for (const method of ["GET", "get", "Patch", "m-search", "QUERY", "PURGE"]) {
    assert.equal(checkMethod(method), method.toUpperCase());
  }
});

test("what is no method is refused, with the one that was probably meant", () => {
  for (const method of [
    "",
    " ",
    "GET ",
    "GET / HTTP/1.1\r\n",
    "G\0T",
    "GÉT",
    5,
    null,
    {},
    ["GET"],
  ]) {
    assert.match(
      refusal(() => checkMethod(method)),
      /^method must be a name such as GET, not /,
    );
  }
  assert.match(
    refusal(() => checkMethod("POST ")),
    /; did you mean POST\?$/,
  );
  assert.match(
    refusal(() => checkMethod("CONNECT")),
    /^method CONNECT makes a tunnel/,
  );
  assert.match(
    refusal(() => checkMethod("connect")),
    /^method CONNECT makes a tunnel/,
  );
});
