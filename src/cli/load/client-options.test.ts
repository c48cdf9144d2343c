import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveClientOptions } from "../../client/options.ts";
import { parseOptions } from "../options.ts";
import { clientFlags, givenClientOptions } from "./client-options.ts";

test("flags are options of the client, with the client's own rules", () => {
  const args = [
    "--max-sockets=8",
    "--keep-alive-msecs",
    "2500",
    "--keep-alive=false",
    "--scheduling=fifo",
    "--max-pending=Infinity",
  ];
  const options = givenClientOptions(parseOptions(clientFlags, args));
  assert.deepEqual(options, {
    maxSockets: 8,
    keepAliveMsecs: 2_500,
    keepAlive: false,
    scheduling: "fifo",
    maxPending: Number.POSITIVE_INFINITY,
  });
  resolveClientOptions(options);
  assert.deepEqual(givenClientOptions(parseOptions(clientFlags, [])), {});
});

test("what the client would refuse is refused with what is allowed", () => {
  for (const [arg, message] of [
    ["--max-sockets=0", /--max-sockets must be a whole number of at least 1, or Infinity, not "0"/],
    ["--max-sockets=", /not ""/],
    ["--keep-alive=maybe", /--keep-alive must be true or false, not "maybe"/],
    ["--scheduling=x", /--scheduling must be "lifo" or "fifo", not "x"/],
  ] as const) {
    assert.throws(() => parseOptions(clientFlags, [arg]), message);
  }
});

test("every flag says in its help what it is by default", () => {
  for (const [name, { doc, allowed }] of Object.entries(clientFlags)) {
    assert.match(doc, /\(\S+\)$/, name);
    assert.notEqual(allowed, "", name);
  }
});
