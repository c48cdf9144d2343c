/**
 * When a program that uses a client ends: not before what it waits for has settled, and then at once,
 * though connections are open.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deadPort, ok, type RawConnection, rawServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

const program = programFile("last-words.mjs");

/** A program that was told nothing ends within this. Keep-alive lasts for seconds at least. */
const mostMsecs = 300;

interface LastWords {
  readonly words: readonly string[];
  readonly msecs: number;
  readonly code: number;
}

/** Runs `program` to its end. */
async function run(t: TestContext, way: string, origin: string): Promise<LastWords> {
  const child = spawn(process.execPath, [program, way, origin], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  // A program that does not end by itself says nothing, and fails the test.
  const tooLong = setTimeout(() => child.kill("SIGKILL"), 15_000);
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  clearTimeout(tooLong);
  assert.notEqual(output, "", "the program did not end");
  return JSON.parse(output) as LastWords;
}

/** Answers at once, `/slow` after a while, `/large` with more than anybody reads. TLS it does not speak. */
async function serve(connection: RawConnection): Promise<void> {
  for (;;) {
    await connection.until(() => connection.unread.length > 0);
    if (connection.unread[0] === 0x16) {
      await sleep(400);
      if (!connection.isGone) connection.reset();
      return;
    }
    const { path, method } = await connection.head();
    if (path === "/slow") await sleep(300);
    if (method === "POST") {
      await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      await connection.through("0\r\n\r\n");
      await sleep(100);
    }
    if (path === "/large") {
      await connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
      for (;;) await connection.send(Buffer.alloc(1_000_000));
    }
    await connection.send(ok("fine"));
  }
}

const ends: readonly { way: string; what: string; words: readonly string[] }[] = [
  { way: "read", what: "that read its responses", words: Array(10).fill("done") },
  { way: "unread", what: "that read no response", words: Array(3).fill("done") },
  { way: "partly read", what: "that read a large body in part", words: ["done"] },
  { way: "never read", what: "that did not read a large body", words: ["done"] },
  { way: "warm", what: "that holds connections ready", words: ["done", "done"] },
  { way: "several clients", what: "of several clients", words: Array(3).fill("done") },
  { way: "closed connections", what: "without keep-alive", words: Array(3).fill("done") },
  { way: "close", what: "that closed its client", words: ["done"] },
  { way: "aborted", what: "that aborted its request during the dial", words: ["AbortError"] },
  {
    way: "given up",
    what: "that aborted its request to a server that never closes",
    words: ["AbortError"],
  },
];

for (const { way, what, words } of ends) {
  test(`a program ${what} ends at once when it has nothing more to do`, async (t) => {
    const server = await rawServer(t, (connection) => {
      if (way === "aborted") return connection.gone();
      if (way !== "given up") return serve(connection);
      // It does not notice that the client has closed.
      connection.socket.pause();
    });
    const last = await run(t, way, server.origin);
    assert.deepEqual(last.words, words);
    assert.equal(last.code, 0);
    t.diagnostic(`${last.msecs} ms`);
    assert.ok(last.msecs < mostMsecs, `ended ${last.msecs} ms later`);
  });
}

test("a program does not end before a request that a back-off holds up has settled", async (t) => {
  const last = await run(t, "in vain", `http://127.0.0.1:${await deadPort()}`);
  assert.deepEqual(last.words, Array(6).fill("ConnectError"));
  assert.equal(last.code, 0);
  assert.ok(last.msecs < mostMsecs, `ended ${last.msecs} ms later`);
});

test("a program does not end before requests that wait without any limit have settled", async (t) => {
  const server = await rawServer(t, serve);
  const last = await run(t, "waiting without a limit", server.origin);
  assert.deepEqual(last.words, ["done", "done", "ConnectError"]);
  assert.equal(last.code, 0);
});

test("a program does not end before its upload has been answered", async (t) => {
  const server = await rawServer(t, serve);
  const last = await run(t, "upload", server.origin);
  assert.deepEqual(last.words, ["done"]);
  assert.equal(last.code, 0);
});
