// The same responses, over real sockets, to Node's own client, to keepline's parser and to its `Client`:
// what both accept they read alike, and keepline accepts nothing that Node refuses. Where keepline refuses
// more, the difference has a name in intended-differences.ts.
//   KEEPLINE_SEED=n   other responses. Fixed when absent, so that a new Node version is compared when it
//                     is tried, not by chance
//   KEEPLINE_RUNS=n   how many, 4,000 when absent

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type ResponseHead, ResponseParser } from "../../src/http1/parser.ts";
import { Client, ResponseParseError, SocketClosedError } from "../../src/index.ts";
import { drawExchange, type Exchange } from "./generated.ts";
import {
  type Complete,
  type IntendedDifference,
  intendedDifferences,
  type Outcome,
} from "./intended-differences.ts";
import { parse } from "./parsing.ts";
import { corpus, corpusLimitBytes, seededDraw } from "./responses.ts";

const seed = Number(process.env.KEEPLINE_SEED ?? 1);
const drawnCount = Number(process.env.KEEPLINE_RUNS ?? 4_000);
const isDefaultRun =
  process.env.KEEPLINE_SEED === undefined && process.env.KEEPLINE_RUNS === undefined;
const llhttp = Number.parseFloat(process.versions.llhttp ?? "");
const release = llhttp < 9.4 ? "before 9.4" : "from 9.4";
// As in Node 20.19: it lets bare CR and LF pass, and refuses chunk extensions that are valid.
const skip = llhttp < 9.2 ? `llhttp ${process.versions.llhttp} is no measure` : false;
const concurrency = 16;
const stallMsecs = 10_000;
const limits = { maxHeaderBytes: corpusLimitBytes };

/** Answers `/n` with the bytes of `scripts[n]`, and ends the connection. */
const scripts: Buffer[] = [];
const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (request) => {
    const index = /^\w+ \/(\d+) /.exec(request.toString("latin1"))?.[1];
    socket.end(scripts[Number(index)] ?? "");
  });
});
let port = 0;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as net.AddressInfo).port;
});

after(() => server.close());

function askNode(method: string, index: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const agent = new http.Agent({ keepAlive: true });
    const settle = (outcome: Outcome) => {
      agent.destroy();
      resolve(outcome);
    };
    const refused = (error: Error) => settle({ kind: "refused", problem: error.message });
    const interim: number[] = [];
    const request = http.request({
      host: "127.0.0.1",
      port,
      method,
      path: `/${index}`,
      agent,
      maxHeaderSize: limits.maxHeaderBytes,
      timeout: stallMsecs,
    });
    request.on("error", refused);
    request.on("timeout", () => request.destroy(new Error("stalled")));
    request.on("information", ({ statusCode }) => interim.push(statusCode));
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      settle({ kind: "upgraded" });
    });
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("latin1");
      response.on("error", refused);
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => {
        if (!response.complete) return refused(new Error("incomplete"));
        settle({
          kind: "complete",
          interim,
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? "",
          minorVersion: response.httpVersionMinor,
          headers: response.rawHeaders,
          body,
          trailers: response.rawTrailers,
          keepAlive: request.shouldKeepAlive,
        });
      });
    });
    request.end();
  });
}

function askParser(method: string, index: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const settle = (outcome: Outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    const refused = (error: Error) =>
      settle({
        kind: "refused",
        problem: error instanceof ResponseParseError ? error.problem : error.message,
      });
    const interim: number[] = [];
    let head: ResponseHead | undefined;
    let body = "";
    const parser = new ResponseParser(
      {
        onInterim: ({ statusCode }) => interim.push(statusCode),
        onHead: (received) => {
          head = received;
        },
        onBody: (buffer, start, end) => {
          body += buffer.toString("latin1", start, end);
        },
        onEnd: (trailers) => {
          assert.ok(head !== undefined);
          settle({
            kind: "complete",
            interim,
            status: head.statusCode,
            reason: head.statusText,
            minorVersion: head.minorVersion,
            headers: head.rawHeaders,
            body,
            trailers,
            keepAlive: head.keepAlive,
          });
        },
      },
      limits,
      `http://127.0.0.1:${port}`,
    );
    parser.begin(method);
    socket.setTimeout(stallMsecs, () => refused(new Error("stalled")));
    socket.on("error", refused);
    socket.on("end", () => {
      if (!parser.finish()) refused(new Error("incomplete"));
    });
    socket.on("data", (bytes) => {
      try {
        parser.execute(bytes, 0, bytes.length);
      } catch (error) {
        refused(error as Error);
      }
    });
    socket.write(`${method} /${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
}

/** What the program sees of `parsed` through a `Client`. */
async function askClient(client: Client, method: string, index: number): Promise<Seen> {
  try {
    const response = await client.request(`http://127.0.0.1:${port}/${index}`, { method });
    const body = Buffer.from(await response.body.bytes()).toString("latin1");
    const { statusCode: status, statusText: reason, rawHeaders: headers } = response;
    return { status, reason, headers, body, trailerNames: Object.keys(response.trailers) };
  } catch (error) {
    if (error instanceof ResponseParseError) return { problem: error.problem };
    if (error instanceof SocketClosedError) return { problem: "incomplete" };
    throw error;
  }
}

type Seen =
  | { readonly problem: string }
  | (Pick<Complete, "status" | "reason" | "headers" | "body"> & {
      readonly trailerNames: readonly string[];
    });

/** What a program must see of an outcome of the parser. */
function seenOf(outcome: Outcome): Seen {
  assert.ok(outcome.kind !== "upgraded");
  if (outcome.kind === "refused") return { problem: outcome.problem };
  const { status, reason, headers, body, trailers } = outcome;
  const names = trailers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  return { status, reason, headers, body, trailerNames: [...new Set(names)] };
}

/** Node reports what follows a message as a fault of it; keepline leaves it alone. So it is cut off. */
function withoutRest({ method, message }: Exchange): Exchange {
  const parsed = parse(Buffer.from(message, "latin1"), { method, ...limits });
  return parsed.trailers === null
    ? { method, message }
    : { method, message: message.slice(0, parsed.takenBytes) };
}

/** What is wrong with `ours`, or which intended difference it is; null when it is what Node says. */
function judge(message: string, node: Outcome, ours: Outcome): string | IntendedDifference | null {
  for (const each of [node, ours]) {
    if (each.kind === "refused" && each.problem === "stalled") return "one of them never ended";
  }
  if (node.kind === "refused" && ours.kind === "refused") return null;
  if (node.kind === "refused") return "keepline accepts what Node refuses";
  if (node.kind === "complete" && ours.kind === "complete") {
    const { keepAlive: nodeReuses, ...nodeRead } = node;
    const { keepAlive: weReuse, ...weRead } = ours;
    if (JSON.stringify(nodeRead) !== JSON.stringify(weRead)) return "they read it differently";
    if (weReuse === nodeReuses) return null;
  }
  return (
    intendedDifferences.find((difference) => difference.applies(message, node, ours)) ??
    "a difference that is not listed"
  );
}

test(`keepline reads what Node ${process.versions.node} reads, or refuses it for a listed reason (seed ${seed})`, {
  skip,
}, async (context) => {
  const draw = seededDraw(seed);
  const exchanges: Exchange[] = [
    ...corpus.flatMap(({ message }) => [
      { method: "GET" as const, message },
      { method: "HEAD" as const, message },
    ]),
    ...Array.from({ length: drawnCount }, () => drawExchange(draw)),
  ].map(withoutRest);
  const matches = new Map(intendedDifferences.map(({ name }) => [name, 0]));
  const faults: string[] = [];
  const counts = { alike: 0, bothRefuse: 0 };
  scripts.push(...exchanges.map(({ message }) => Buffer.from(message, "latin1")));

  const client = new Client({ ...limits, keepAlive: false });
  let next = 0;
  const compareNext = async (): Promise<void> => {
    while (next < exchanges.length) {
      const index = next++;
      const { method, message } = exchanges[index]!;
      const [node, ours, seen] = await Promise.all([
        askNode(method, index),
        askParser(method, index),
        askClient(client, method, index),
      ]);
      const verdict = isDeepStrictEqual(seen, seenOf(ours))
        ? judge(message, node, ours)
        : "Client and parser differ";
      if (verdict === null) counts[ours.kind === "refused" ? "bothRefuse" : "alike"]++;
      else if (typeof verdict !== "string") {
        matches.set(verdict.name, matches.get(verdict.name)! + 1);
      } else {
        const shown = { method, message, node, ours, seen };
        faults.push(`${verdict}: ${JSON.stringify(shown, null, 1)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, compareNext));

  await client.close();

  const listed = [...matches].map(([name, count]) => `${name} ${count}`).join(", ");
  context.diagnostic(
    `${exchanges.length} responses: ${counts.alike} read alike, ${counts.bothRefuse} refused by both; ${listed}`,
  );
  assert.equal(
    faults.length,
    0,
    `${faults.length} faults, seed ${seed}:\n${faults.slice(0, 5).join("\n")}`,
  );
  if (isDefaultRun) {
    const unmatched = intendedDifferences
      .filter((difference) => (difference.llhttp ?? release) === release)
      .filter(({ name }) => matches.get(name) === 0);
    assert.deepEqual(
      unmatched.map(({ name }) => name),
      [],
      "listed, but never met",
    );
  }
  assert.ok(counts.alike > exchanges.length / 4 && counts.bothRefuse > exchanges.length / 20);
});
