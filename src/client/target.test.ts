import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fc } from "../../test/support/fast-check.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { addressOf, type Query, Targets } from "./target.ts";

const find = (url: string | URL, query?: Query) => new Targets().find(url, query);

/** Asserts that the request is refused, and returns the message. */
function refusal(url: unknown, query?: unknown): string {
  try {
    find(url as string, query as Query);
  } catch (error) {
    assert(error instanceof InvalidRequestError, String(error));
    assert.equal(error.requestSent, false);
    return error.message;
  }
  return assert.fail(`${String(url)} was not refused`);
}

const parts: readonly (readonly [url: string, origin: string, host: string, path: string])[] = [
  ["http://a.example", "http://a.example", "a.example", "/"],
  ["http://a.example:80/", "http://a.example", "a.example", "/"],
  ["https://a.example:443/x", "https://a.example", "a.example", "/x"],
  ["http://a.example:443/", "http://a.example:443", "a.example:443", "/"],
  ["https://a.example:80", "https://a.example:80", "a.example:80", "/"],
  ["HTTP://A.Example/X?Y", "http://a.example", "a.example", "/X?Y"],
  ["http://a.example/p?q=1#fragment", "http://a.example", "a.example", "/p?q=1"],
  ["http://a.example/#", "http://a.example", "a.example", "/"],
  ["http://a.example?", "http://a.example", "a.example", "/"],
  ["http://a.example/a/../b/./c", "http://a.example", "a.example", "/b/c"],
  ["http://a.example/ä ?ö", "http://a.example", "a.example", "/%C3%A4%20?%C3%B6"],
  ["http://bücher.example/", "http://xn--bcher-kva.example", "xn--bcher-kva.example", "/"],
  ["http://[::1]:8080/", "http://[::1]:8080", "[::1]:8080", "/"],
  ["http://[2001:DB8::0:1]/", "http://[2001:db8::1]", "[2001:db8::1]", "/"],
  ["http://127.1/", "http://127.0.0.1", "127.0.0.1", "/"],
  ["http://user:secret@a.example/", "http://a.example", "a.example", "/"],
];

test("a URL is an origin, what Host says, and path with query", () => {
  for (const [url, origin, host, path] of parts) {
    for (const given of [url, new URL(url)]) {
      const target = find(given);
      assert.deepEqual([target.origin, target.host, target.path], [origin, host, path], url);
    }
  }
});

test("what is dialed has the default port of its protocol and no brackets", () => {
  const addresses = {
    "http://a.example": { isTls: false, host: "a.example", port: 80 },
    "https://a.example": { isTls: true, host: "a.example", port: 443 },
    "https://a.example:80": { isTls: true, host: "a.example", port: 80 },
    "http://[::1]:8080": { isTls: false, host: "::1", port: 8080 },
    "http://127.0.0.1:1": { isTls: false, host: "127.0.0.1", port: 1 },
  };
  for (const [origin, address] of Object.entries(addresses)) {
    assert.deepEqual(addressOf(origin), address);
  }
});

test("user name and password become basic authentication, percent-decoded, as UTF-8", () => {
  const credentials = {
    "http://user:secret@a.example/": "user:secret",
    "http://user@a.example/": "user:",
    "http://:secret@a.example/": ":secret",
    "http://us%3Aer:p%40ss%2F@a.example/": "us:er:p@ss/",
    "http://ü:☃@a.example/": "ü:☃",
    "http://100%:%zz@a.example/": "100%:%zz",
  };
  for (const [url, text] of Object.entries(credentials)) {
    const { authorization } = find(url);
    assert.match(authorization ?? "", /^Basic [A-Za-z0-9+/]+=*$/);
    assert.equal(Buffer.from(authorization?.slice(6) ?? "", "base64").toString(), text, url);
  }
  assert.equal(find("http://a.example/").authorization, null);
  assert.equal(find("http://@a.example/").authorization, null);
});

test("a query is appended to the URL's own, encoded", () => {
  const queries: readonly (readonly [url: string, query: Query, path: string])[] = [
    ["http://a.example", { a: 1, b: true, c: "ö &=+" }, "/?a=1&b=true&c=%C3%B6+%26%3D%2B"],
    ["http://a.example/p?x=1", { a: 1 }, "/p?x=1&a=1"],
    ["http://a.example/p?x=1#f", { x: 2 }, "/p?x=1&x=2"],
    ["http://a.example", { a: ["1", 2, false] }, "/?a=1&a=2&a=false"],
    ["http://a.example", { a: [], b: undefined }, "/"],
    ["http://a.example", {}, "/"],
    ["http://a.example?x", {}, "/?x"],
    [
      "http://a.example",
      new URLSearchParams([
        ["a", "1"],
        ["a", "2"],
      ]),
      "/?a=1&a=2",
    ],
    ["http://a.example", { "": "" }, "/?="],
  ];
  for (const [url, query, path] of queries) assert.equal(find(url, query).path, path);
});

test("a URL that is given is not changed", () => {
  const url = new URL("http://user@a.example/p?x=1#f");
  const before = url.href;
  find(url, { a: 1 });
  assert.equal(url.href, before);
});

test("what is no absolute http or https URL is refused, with what was given", () => {
  assert.match(refusal("/path"), /^url must be absolute, such as .*, not "\/path"$/);
  assert.match(refusal(""), /^url must be absolute, .*, not ""$/);
  assert.match(refusal("a.example/path"), /^url must be absolute/);
  assert.match(refusal("http://"), /^url must be absolute/);
  assert.match(refusal("http://a.example:99999/"), /^url must be absolute/);
  assert.match(
    refusal("ftp://a.example/"),
    /^url must begin with http:\/\/ or https:\/\/, not "ftp:"$/,
  );
  assert.match(refusal("a.example:80/"), /^url must begin with http/);
  assert.match(refusal(new URL("file:///etc/hosts")), /^url must begin with http.*not "file:"$/);
  assert.match(refusal(undefined), /^url must be a string or a URL, not undefined$/);
  assert.match(refusal(null), /^url must be a string or a URL, not null$/);
  assert.match(
    refusal({ href: "http://a.example" }),
    /^url must be a string or a URL, not an object$/,
  );
  assert(refusal("x".repeat(10_000)).length < 200);
});

test("a query that cannot be encoded is refused, with its name", () => {
  assert.match(
    refusal("http://a.example", "a=1"),
    /^query must be an object or URLSearchParams, not "a=1"$/,
  );
  assert.match(refusal("http://a.example", null), /, not null$/);
  assert.match(refusal("http://a.example", ["a"]), /, not an array$/);
  assert.match(
    refusal("http://a.example", { a: null }),
    /^query a must be a string, number, boolean, or an array of them, not null$/,
  );
  assert.match(refusal("http://a.example", { a: { b: 1 } }), /^query a must be .* not an object$/);
  assert.match(refusal("http://a.example", { a: [["1"]] }), /^query a must be .* not an array$/);
  assert.match(refusal("http://a.example", { a: new Date(0) }), /^query a must be/);
});

test("no URL and no query puts white space or a line end into the request line", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, text, text, (path, name, value) => {
      const target = find(`http://a.example/${path}`, { [name]: value });
      assert.match(target.path, /^\/[!-~]*$/);
      assert.equal(target.origin, "http://a.example");
    }),
  );
});

test("what a query holds can be read back", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 5 }), text, (names, value) => {
      const query = Object.fromEntries(names.map((name) => [name, [value, "second"]]));
      const { searchParams } = new URL(find("http://a.example/", query).path, "http://a.example");
      for (const name of names) assert.deepEqual(searchParams.getAll(name), [value, "second"]);
    }),
  );
});

test("a string is parsed once; what may change is parsed anew", () => {
  const targets = new Targets();
  const first = targets.find("http://a.example/1", undefined);
  assert.equal(targets.find("http://a.example/1", undefined), first);
  assert.notEqual(targets.find("http://a.example/1", { a: 1 }), first);
  const url = new URL("http://a.example/1");
  assert.notEqual(targets.find(url, undefined), first);
  url.pathname = "/2";
  assert.equal(targets.find(url, undefined).path, "/2");
});

test("so many URLs that they are forgotten are parsed as before", () => {
  const targets = new Targets();
  const first = targets.find("http://a.example/0", undefined);
  for (let count = 0; count < 20_000; count++) {
    const { path } = targets.find(`http://a.example/${count}`, undefined);
    assert.equal(path, `/${count}`);
  }
  const again = targets.find("http://a.example/0", undefined);
  assert.notEqual(again, first);
  assert.deepEqual(again, first);
});

test("an error about a URL repeats neither user name nor password", () => {
  const url = "https://user:s3cret@host:port/";
  assert.throws(
    () => new Targets().find(url, undefined),
    (error: Error) => !inspect(error).includes("s3cret") && error.message.includes("@host:port/"),
  );
});
