import assert from "node:assert/strict";
import { test } from "node:test";
import { TlsSessions } from "./tls-sessions.ts";

const session = (text: string) => Buffer.from(text);

test("the latest session of each server is kept", () => {
  const sessions = new TlsSessions();
  assert.equal(sessions.get("a:443"), undefined);
  sessions.set("a:443", session("1"));
  sessions.set("b:443", session("2"));
  sessions.set("a:443", session("3"));
  assert.deepEqual(sessions.get("a:443"), session("3"));
  assert.deepEqual(sessions.get("b:443"), session("2"));
  assert.equal(sessions.get("a:8443"), undefined);
  assert.equal(sessions.size, 2);
});

test("a session that was forgotten is gone, the others are not", () => {
  const sessions = new TlsSessions();
  sessions.set("a:443", session("1"));
  sessions.set("b:443", session("2"));
  sessions.forget("a:443");
  sessions.forget("c:443");
  assert.equal(sessions.get("a:443"), undefined);
  assert.deepEqual(sessions.get("b:443"), session("2"));
});

test("a thousand sessions are kept; the one unused for longest goes first", () => {
  const sessions = new TlsSessions();
  for (let count = 0; count < 1_000; count++) sessions.set(`${count}:443`, session(String(count)));
  assert.equal(sessions.size, 1_000);
  sessions.get("0:443");
  sessions.set("1:443", session("again"));
  for (let count = 1_000; count < 1_010; count++) sessions.set(`${count}:443`, session("new"));
  assert.equal(sessions.size, 1_000);
  assert.deepEqual(sessions.get("0:443"), session("0"));
  assert.deepEqual(sessions.get("1:443"), session("again"));
  for (let count = 2; count < 12; count++) assert.equal(sessions.get(`${count}:443`), undefined);
  assert.deepEqual(sessions.get("12:443"), session("12"));
});
