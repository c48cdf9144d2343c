/**
 * Servers that do anything at any time, programs that abort, read, forget and give up as they like:
 * whatever happens, each response is the one to its request or an error, each promise settles, and
 * nothing is left in the end.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Client, KeeplineError, type ResponseBody } from "../../src/index.ts";
import { assertNothingLeft, seeded, until } from "../support/client-kit.ts";
import { type RawConnection, rawServer } from "../support/raw-server.ts";

const requestCount = 2_000;

type Choice = (limit: number) => number;

/** Serves one request in one of many ways. False when the connection is over. */
async function misbehave(connection: RawConnection, upTo: Choice): Promise<boolean> {
  const head = await connection.head();
  const way = upTo(24);
  if (way < 2) {
    if (way === 0) connection.reset();
    else connection.end();
    return false;
  }
  // Sometimes the answer comes before the request has.
  const isEarly = way === 2;
  if (!isEarly) {
    if (head.field("expect") !== undefined && upTo(4) > 0) {
      await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (head.field("transfer-encoding") !== undefined) await connection.through("0\r\n\r\n");
    else await connection.bytes(Number(head.field("content-length") ?? 0));
  }
  const isForging = way === 4;
  const text = `${head.path} `.repeat(upTo(8) === 0 && !isForging ? 20_000 : upTo(300));
  const isChunked = upTo(2) === 0;
  const says = upTo(10) === 0 ? "connection: close\r\n" : "";
  let response = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(upTo(3));
  if (isChunked) {
    response += `HTTP/1.1 200 OK\r\n${says}transfer-encoding: chunked\r\n\r\n`;
    for (let at = 0; at < text.length; ) {
      const piece = text.slice(at, at + 1 + upTo(40_000));
      response += `${piece.length.toString(16)}\r\n${piece}\r\n`;
      at += piece.length;
    }
    response += "0\r\nx-check: 1\r\n\r\n";
  } else {
    response += `HTTP/1.1 200 OK\r\n${says}content-length: ${text.length}\r\n\r\n${text}`;
  }
  if (way === 3) response = response.slice(0, upTo(response.length));
  if (isForging) response += "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
  if (way === 5) response = response.replace("\r\n", "\n");
  // A forged response is one packet with the true one: behind the next request nobody could tell.
  if (way < 12 && !isForging)
    await connection.drip(response, Math.ceil(response.length / (1 + upTo(6))));
  else await connection.send(response);
  if (isEarly || way === 3 || way === 6) {
    if (upTo(2) === 0) connection.end();
    else connection.reset();
    return false;
  }
  return true;
}

test("under random faults each response is its request's own, each promise settles, and nothing is left", async (t) => {
  const seed = Number(process.env.KEEPLINE_SEED ?? 1);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const upTo: Choice = (limit) => Math.floor(random() * limit);
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on("warning", note);
  t.after(() => process.off("warning", note));

  const server = await rawServer(t, async (connection) => {
    while (await misbehave(connection, upTo));
    await connection.gone();
  });
  // On a busy machine some wait for long, which is none of the warnings that are looked for.
  const client = new Client({
    maxSockets: 12,
    connectTimeoutMsecs: 60_000,
    saturationMsecs: Number.POSITIVE_INFINITY,
  });
  t.after(() => client.destroy());
  const outcomes = new Map<string, number>();
  const count = (outcome: string): void => {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };

  async function* pieces() {
    for (let left = upTo(6); left > 0; left--) {
      if (upTo(3) === 0) await turn();
      if (upTo(40) === 0) throw new RangeError("source");
      yield "x".repeat(upTo(3_000));
    }
  }

  async function read(body: ResponseBody): Promise<string | null> {
    switch (upTo(6)) {
      case 0:
        return null;
      case 1:
        await body.dump({ maxBytes: upTo(2) * 1e6 });
        return null;
      case 2:
        for await (const _ of body) if (upTo(2) === 0) break;
        return null;
      case 3: {
        let text = "";
        for await (const piece of body.toReadable()) {
          await turn();
          text += String(piece);
        }
        return text;
      }
      default:
        return body.text();
    }
  }

  async function one(index: number): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    if (upTo(6) === 0) {
      const abortLater = async (): Promise<void> => {
        for (let turns = upTo(60); turns > 0; turns--) await turn();
        stop.abort(signal);
      };
      void abortLater();
    }
    const hasBody = upTo(3) === 0;
    const headers = hasBody && upTo(8) === 0 ? { expect: "100-continue" } : {};
    const body = hasBody ? (upTo(2) === 0 ? pieces() : "y".repeat(upTo(100_000))) : null;
    const method = hasBody ? "POST" : "GET";
    const path = `/${index}`;
    try {
      const response = await client.request(server.origin + path, {
        method,
        headers,
        body,
        signal,
      });
      assert.equal(response.statusCode, 200);
      const text = await read(response.body);
      if (text === null) {
        count("not read");
        // What was forgotten ends with its signal at the latest.
        for (let turns = upTo(100); turns > 0; turns--) await turn();
        stop.abort(signal);
        return;
      }
      const whole = Math.floor(text.length / (path.length + 1));
      assert.ok(text === `${path} `.repeat(whole), `to ${path}: ${text.slice(0, 100)}`);
      count("read");
    } catch (error) {
      if (error === signal) count("aborted");
      else if (error instanceof KeeplineError) count(error.name);
      else if (error instanceof RangeError) count("source");
      else throw error;
    }
    if (!signal.aborted) assert.equal(getEventListeners(signal, "abort").length, 0);
  }

  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < requestCount) await one(next++);
  };
  await Promise.all(Array.from({ length: 30 }, worker));
  await client.close();
  assertNothingLeft(client);
  await until(() => server.openCount === 0);
  assert.deepEqual(warnings, []);
  t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
  for (const outcome of [
    "read",
    "not read",
    "aborted",
    "SocketClosedError",
    "ResponseParseError",
  ]) {
    assert.ok((outcomes.get(outcome) ?? 0) > 0, `no request was ${outcome}`);
  }
  assert.deepEqual([...outcomes.keys()].sort(), [
    "ResponseParseError",
    "SocketClosedError",
    "aborted",
    "not read",
    "read",
    "source",
  ]);
});
