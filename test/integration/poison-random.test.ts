/**
 * Poisons in random order among good requests on several connections: whatever comes at the wrong time,
 * each response is its own request's, and only who stood in the way of a poison may fail.
 *   KEEPLINE_SEED=n   another run
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  type Client,
  type ClientResponse,
  ResponseParseError,
  SocketClosedError,
} from "../../src/index.ts";
import { makeClient, seeded, statsOf, until } from "../support/client-kit.ts";
import { certificate } from "../support/loopback.ts";
import { ok, type RawConnection, rawServer } from "../support/raw-server.ts";
import { tlsFront } from "../support/tls-front.ts";

const goodCount = 300;
const poisonCount = 100;

type Choice = (limit: number) => number;

const forged = ok("forged", "x-id: forged", "x-forged: 1");

/**
 * What a poison does to the requests behind it. "never": the connection carries no other. "perhaps": the
 * next one may have been written before the client could know.
 */
interface Poison {
  readonly hurtsNext: "never" | "perhaps";
  /** The poisoned request itself fails. */
  readonly fails?: true;
  send(connection: RawConnection, answer: string, upTo: Choice): Promise<void>;
}

const joined = (tail: string): Poison => ({
  hurtsNext: "never",
  send: (connection, answer) => connection.send(answer + tail),
});

/** Not a whole response: behind the next request nobody could tell that from its own. */
const late = (bytes: string): Poison => ({
  hurtsNext: "perhaps",
  send: async (connection, answer, upTo) => {
    await connection.send(answer);
    for (let turns = upTo(6); turns > 0; turns--) await turn();
    await connection.send(bytes);
  },
});

const closing = (...fields: readonly string[]): Poison => ({
  hurtsNext: "never",
  send: (connection, answer) =>
    connection.send(answer.replace("\r\n", `\r\n${fields.join("\r\n")}\r\n`)),
});

const poisons: Readonly<Record<string, Poison>> = {
  "a byte": joined("x"),
  "a line end": joined("\r\n"),
  "more body": joined(", and more"),
  "a second response": joined(forged),
  "two more responses": joined(forged + forged),
  "an interim response": joined("HTTP/1.1 103 Early Hints\r\nx-forged: 1\r\n\r\n"),
  "half a head": joined("HTTP/1.1 200 OK\r\nx-forged: "),
  "a late byte": late("x"),
  "a late line end": late("\r\n"),
  "late junk": late("junk ".repeat(1_000)),
  "a late last chunk": late("0\r\n\r\n"),
  "a late CONTINUE": late("HTTP/1.1 100 Continue\r\nx-forged: 1\r\n\r\n"),
  close: closing("connection: close"),
  CLOSE: closing("Connection: CLOSE"),
  "close in a list": closing("Connection: keep-alive, Close"),
  "close twice": closing("Connection: keep-alive", "connection: close"),
  "interim close": {
    hurtsNext: "never",
    fails: true,
    send: (connection, answer) =>
      connection.send(`HTTP/1.1 102 x\r\nconnection: close\r\n\r\n${answer}`),
  },
  "a byte before": {
    hurtsNext: "never",
    fails: true,
    send: (connection, answer) => connection.send(`x${answer}`),
  },
  FIN: {
    hurtsNext: "perhaps",
    send: async (connection, answer) => {
      connection.socket.end(answer);
    },
  },
};
const kinds = Object.keys(poisons);

/** The answer to `path`, in one of several framings, recognizable in its head and all over its body. */
function answerTo(path: string, upTo: Choice): string {
  const body = `${path}\n`.repeat(1 + upTo(30));
  if (upTo(2) === 0) return ok(body, `x-id: ${path}`);
  const split = upTo(body.length + 1);
  const chunks = [body.slice(0, split), body.slice(split)].filter((chunk) => chunk !== "");
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  const head = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-id: ${path}\r\n\r\n`;
  return `${head}${framed}0\r\nx-id: ${path}\r\n\r\n`;
}

/** Every part of `response` says `path`. */
async function assertIsAnswerTo(path: string, response: ClientResponse): Promise<void> {
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers["x-id"], path);
  assert.equal(response.headers["x-forged"], undefined);
  const text = await response.body.text();
  assert.equal(text.replaceAll(`${path}\n`, ""), "");
  assert.notEqual(text, "");
  assert.equal(response.trailers["x-id"] ?? path, path);
}

for (const over of ["TCP", "TLS"] as const) {
  test(`${goodCount} requests among ${poisonCount} poisons over ${over} get their own answers`, async (t) => {
    const seed = Number(process.env.KEEPLINE_SEED ?? 1);
    t.diagnostic(`seed ${seed}: KEEPLINE_SEED=${seed} repeats it`);
    await mix(t, over, seeded(seed));
  });
}

async function mix(t: TestContext, over: "TCP" | "TLS", random: () => number): Promise<void> {
  const upTo: Choice = (limit) => Math.floor(random() * limit);
  /** Poisons that the client could not see in time: each may cost one request behind it. */
  let excuseCount = 0;
  const server = await rawServer(t, async (connection) => {
    connection.socket.allowHalfOpen = true;
    let last: Poison | null = null;
    for (;;) {
      const { path } = await connection.head();
      if (last !== null) assert.equal(last.hurtsNext, "perhaps", `${path} came behind a poison`);
      if (!connection.socket.writable) continue;
      const [, way = "", kind = ""] = path.split("/");
      const answer = answerTo(path, upTo);
      const poison = way === "poison" ? poisons[decodeURIComponent(kind)] : undefined;
      if (poison !== undefined) {
        last = poison;
        if (poison.hurtsNext === "perhaps") excuseCount++;
        await poison.send(connection, answer, upTo);
      } else if (upTo(8) === 0) {
        await connection.drip(answer, 1 + upTo(answer.length));
      } else {
        await connection.send(answer);
      }
    }
  });
  const isTls = over === "TLS";
  const origin = isTls ? (await tlsFront(t, server.port, certificate())).origin : server.origin;
  const connect = { tls: { ca: certificate().cert } };
  const client = makeClient(t, { maxSockets: 5, ...(isTls ? { connect } : {}) });

  const paths = Array.from({ length: goodCount }, (_, id) => `/good/${id}`);
  for (let id = 0; id < poisonCount; id++) {
    const kind = encodeURIComponent(kinds[id % kinds.length] ?? "");
    paths.splice(upTo(paths.length + 1), 0, `/poison/${kind}/${id}`);
  }
  let failedCount = 0;
  const ask = async (path: string): Promise<void> => {
    const error = await outcome(client, origin, path);
    const [, way, kind = ""] = path.split("/");
    const fails = way === "poison" && poisons[decodeURIComponent(kind)]?.fails === true;
    if (fails) assert.ok(error !== null, `${path} got an answer`);
    else if (error !== null) failedCount++;
  };
  const worker = async (): Promise<void> => {
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      await ask(path);
      if (upTo(4) === 0) await turn();
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  await until(() => statsOf(client).sockets.busy === 0);
  // The client is as good as before.
  await Promise.all(Array.from({ length: 20 }, (_, id) => ask(`/good/rest-${id}`)));
  t.diagnostic(`${failedCount} requests failed behind ${excuseCount} late poisons`);
  assert.ok(failedCount <= excuseCount, `${failedCount} failed behind ${excuseCount} late poisons`);
}

/** Null: `path` got its own answer. An answer to anything else fails the test. */
async function outcome(client: Client, origin: string, path: string): Promise<Error | null> {
  try {
    await assertIsAnswerTo(path, await client.request(`${origin}${path}`));
    return null;
  } catch (error) {
    if (error instanceof ResponseParseError || error instanceof SocketClosedError) return error;
    throw error;
  }
}
