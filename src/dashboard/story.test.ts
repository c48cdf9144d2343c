import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorSummary } from "../observe/messages.ts";
import { causesOf, type StoryFacts, storyOf } from "./story.ts";

const facts: StoryFacts = {
  lane: "reports",
  waitedMsecs: 410,
  behind: 37,
  resends: 0,
  connection: null,
  firstByteMsecs: null,
  sinceMsecs: 0,
};

test("a request on a fresh connection tells its queue and every step of its dial", () => {
  const dial = { dialMsecs: 55, dnsMsecs: 2, connectMsecs: 22, tlsMsecs: 31, tlsResumed: true };
  const connection = { id: 7, requestCount: 1, idleMsecs: 0, dial };
  assert.deepEqual(storyOf({ ...facts, connection, firstByteMsecs: 12.4 }), [
    "waited 410 ms in lane reports behind 37",
    "first request on connection 7",
    "dialed 55 ms",
    "DNS 2.0 ms",
    "TCP 22 ms",
    "TLS 31 ms resumed",
    "first byte after 12 ms",
  ]);
});

test("a request on a used connection that did not wait tells how long that had been idle", () => {
  const connection = { id: 7, requestCount: 3, idleMsecs: 4_800, dial: null };
  const told = storyOf({
    ...facts,
    waitedMsecs: 0,
    behind: 0,
    resends: 1,
    connection,
    sinceMsecs: 3,
  });
  assert.deepEqual(told, [
    "sent again once before",
    "request 3 on connection 7, idle for 4.8 s before",
    "no byte of a response in 3.0 ms",
  ]);
});

test("a request without a connection tells what it waited for", () => {
  assert.deepEqual(storyOf(facts), [
    "waited 410 ms in lane reports behind 37 and got no connection",
  ]);
});

test("causes come outermost first, with their codes, and are cut", () => {
  const cause = { name: "Error", code: "ECONNRESET", message: "x".repeat(500), cause: null };
  const [outer, inner] = causesOf({
    name: "SocketClosedError",
    code: null,
    message: "gone",
    cause,
  });
  assert.equal(outer, "SocketClosedError: gone");
  assert.equal(inner?.length, 300);
  assert.match(inner ?? "", /^Error ECONNRESET: x+…$/);
  assert.deepEqual(causesOf(null), []);
  const endless = {
    name: "Error",
    code: null,
    message: "again",
    cause: null as ErrorSummary | null,
  };
  endless.cause = endless;
  assert.equal(causesOf(endless).length, 4);
});
