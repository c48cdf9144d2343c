import assert from "node:assert/strict";
import { test } from "node:test";
import { Secrets, secretNames } from "./secrets.ts";

test("values of secret names are left out, in any case, with those that the program names", () => {
  const secrets = new Secrets(["X-Session"]);
  for (const name of [...secretNames, "Authorization", "SET-COOKIE", "x-session"]) {
    assert.deepEqual(secrets.field(name, "hush"), { name, value: "", comment: "left out" });
  }
  assert.deepEqual(secrets.field("accept", "*/*"), { name: "accept", value: "*/*" });
});

test("so are parameters of URLs, credentials and fragments, also in fields that are URLs", () => {
  const secrets = new Secrets(["sid"]);
  const url =
    "https://user:hush@a.test/p?a=1&Access_Token=hush&sid=hush&b=%20x&api%5Fkey=hush#hush";
  const bare = "https://a.test/p?a=1&Access_Token=&sid=&b=%20x&api%5Fkey=";
  assert.equal(secrets.url(url), bare);
  for (const name of ["location", "Referer"]) assert.equal(secrets.field(name, url).value, bare);
  assert.deepEqual(
    secrets.parameters(url).map(({ name, value, comment }) => [name, value, comment]),
    [
      ["a", "1", undefined],
      ["Access_Token", "", "left out"],
      ["sid", "", "left out"],
      ["b", " x", undefined],
      ["api_key", "", "left out"],
    ],
  );
  assert.equal(secrets.url("https://a.test/@x"), "https://a.test/@x");
  assert.deepEqual(secrets.parameters("https://a.test/?%zz=%"), [{ name: "%zz", value: "%" }]);
});

test("long values are cut, and say so", () => {
  const secrets = new Secrets([]);
  const { value } = secrets.field("x-long", "v".repeat(100_000));
  assert.ok(value.length < 2_100 && value.endsWith("(100000 characters)"));
  assert.ok(secrets.url(`https://a.test/${"p".repeat(100_000)}`).length < 8_300);
});
