import assert from "node:assert/strict";
import { test } from "node:test";
import { type TlsSession, TlsSessions } from "./tls-sessions.ts";

function session(text: string, validUntil = Number.POSITIVE_INFINITY): TlsSession {
  return { ticket: Buffer.from(text), identity: { validUntil, certificate: null } };
}

test("the latest session of each server is kept", () => {
  const sessions = new TlsSessions();
  assert.equal(sessions.get("a:443", 0), null);
  sessions.set("a:443", session("1"));
  sessions.set("b:443", session("2"));
  sessions.set("a:443", session("3"));
  assert.deepEqual(sessions.get("a:443", 0), session("3"));
  assert.deepEqual(sessions.get("b:443", 0), session("2"));
  assert.equal(sessions.get("a:8443", 0), null);
  assert.equal(sessions.size, 2);
});

test("a session that was forgotten is gone, the others are not", () => {
  const sessions = new TlsSessions();
  sessions.set("a:443", session("1"));
  sessions.set("b:443", session("2"));
  sessions.forget("a:443");
  sessions.forget("c:443");
  assert.equal(sessions.get("a:443", 0), null);
  assert.deepEqual(sessions.get("b:443", 0), session("2"));
});

test("a session ends with its server's certificate", () => {
  const sessions = new TlsSessions();
  sessions.set("a:443", session("1", 1_000));
  sessions.set("b:443", session("2", 2_000));
  assert.deepEqual(sessions.get("a:443", 999), session("1", 1_000));
  assert.equal(sessions.get("a:443", 1_000), null);
  assert.equal(sessions.size, 1);
  assert.deepEqual(sessions.get("b:443", 1_000), session("2", 2_000));
});

test("a session whose certificate's end cannot be read is not used", () => {
  const sessions = new TlsSessions();
  sessions.set("a:443", session("1", Number.NaN));
  assert.equal(sessions.get("a:443", 0), null);
});

test("a thousand sessions are kept; the one unused for longest goes first", () => {
  const sessions = new TlsSessions();
  for (let count = 0; count < 1_000; count++) sessions.set(`${count}:443`, session(String(count)));
  assert.equal(sessions.size, 1_000);
  sessions.get("0:443", 0);
  sessions.set("1:443", session("again"));
  for (let count = 1_000; count < 1_010; count++) sessions.set(`${count}:443`, session("new"));
  assert.equal(sessions.size, 1_000);
  assert.deepEqual(sessions.get("0:443", 0), session("0"));
  assert.deepEqual(sessions.get("1:443", 0), session("again"));
  for (let count = 2; count < 12; count++) assert.equal(sessions.get(`${count}:443`, 0), null);
  assert.deepEqual(sessions.get("12:443", 0), session("12"));
});
