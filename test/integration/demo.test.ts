// The command line as a user runs it: arguments, exit codes, output, and the whole demo once.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { makeCertificate } from "../../src/cli/certificate.ts";
import type { DemoReport } from "../../src/cli/demo/report.ts";
import { startServers } from "../../src/cli/demo/servers.ts";
import {
  buildCommandLine,
  finish,
  keepline,
  lastLine,
  main,
  shapeOf,
  start,
} from "../support/command-line.ts";
import { root } from "../support/root.ts";
import { extent, isThorough } from "../support/thorough.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "keepline-demo-"));
before(buildCommandLine);
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const servers: (Server | SecureServer)[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

test("the whole demo keeps its promises: few sockets, the same port, and done in time", async () => {
  // As many as it sends by itself where it is thorough.
  const given = extent(400, 2_000);
  const args = isThorough ? [] : [`--requests=${given}`];
  const { code, out, err } = await keepline("demo", "--json", ...args);
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  const report = JSON.parse(out) as DemoReport;
  assert.equal(report.format, "keepline-demo");
  assert.equal(report.formatVersion, 1);
  // Some 9 s where nothing else runs, as these tests do.
  assert.ok(report.tookMsecs < 45_000, `it took ${report.tookMsecs} ms`);

  assert.deepEqual(
    report.twoRequests.map((each) => each.protocol),
    ["http", "https"],
  );
  for (const { requests, sameSocket, portsSeenBy } of report.twoRequests) {
    const [first, second] = requests;
    assert.deepEqual({ sameSocket, portsSeenBy }, { sameSocket: true, portsSeenBy: "server" });
    assert.ok(Number(first.clientPort) > 0);
    assert.equal(second.clientPort, first.clientPort);
    assert.ok(first.connectMsecs !== null && second.connectMsecs === null);
  }

  const { requests, concurrency, runs, saved } = report.manyRequests;
  assert.deepEqual({ requests, concurrency }, { requests: given, concurrency: 20 });
  assert.deepEqual(
    runs.map((run) => [run.protocol, run.keepAlive]),
    [
      ["http", true],
      ["http", false],
      ["https", true],
      ["https", false],
    ],
  );
  for (const run of runs) {
    assert.deepEqual([run.failed, run.statusCodes], [0, { 200: given }]);
    assert.ok(Number(run.p50Msecs) > 0 && Number(run.p50Msecs) <= Number(run.p99Msecs));
    if (run.keepAlive) assert.ok(run.socketsOpened <= 20, `opened ${run.socketsOpened}`);
    else assert.equal(run.socketsOpened, given);
    assert.equal(run.reuseRatio, 1 - run.socketsOpened / given);
  }
  for (const { handshakesAvoided, handshakeMeanMsecs, savedMsecs } of saved) {
    assert.ok(handshakesAvoided >= given - 20);
    assert.ok(Math.abs(savedMsecs / (handshakesAvoided * handshakeMeanMsecs) - 1) < 0.01);
  }

  const queue = report.queue?.runs ?? [];
  assert.deepEqual(
    queue.map((run) => run.maxSockets),
    [5, 20, 100],
  );
  for (const run of queue) assert.ok(run.socketsOpened <= run.maxSockets);
  const [five, twenty] = queue;
  assert.ok(Number(five?.waitP50Msecs) > Number(twenty?.waitP50Msecs));

  // Fewest sockets opened go with most of them idle.
  const bursts = report.bursts?.runs ?? [];
  for (const run of bursts) assert.equal(run.requests, 192);
  const last = bursts.at(-1);
  for (const run of bursts.slice(0, -1)) {
    assert.ok(Number(last?.socketsOpened) < run.socketsOpened);
    assert.ok(Number(last?.idleSocketSeconds) > run.idleSocketSeconds);
  }
});

// Mostly processes that wait for each other: they may as well do that at the same time.
describe("the command line", { concurrency: 4 }, () => {
  test("--json with --url is one document about that server and nothing else", async () => {
    const ports = new Set<number | undefined>();
    let requests = 0;
    const { url } = await serve((request, response) => {
      requests++;
      ports.add(request.socket.remotePort);
      response.end("hello");
    });
    const { code, out, err } = await keepline(
      "demo",
      "--json",
      "--url",
      url,
      "--requests=8",
      "--concurrency=2",
    );
    assert.equal(code, 0);
    assert.equal(
      err,
      `keepline demo: 18 GET requests to ${url}: 2 one after the other, then 8 with keep-alive and 8 without, 2 at a time\n`,
    );
    assert.equal(requests, 18);
    const report = JSON.parse(out) as DemoReport;
    assert.deepEqual(shapeOf(report), {
      format: "string",
      formatVersion: "number",
      keepline: "string",
      node: "string",
      startedAt: "string",
      tookMsecs: "number",
      url: "string",
      twoRequests: [
        {
          protocol: "string",
          requests: [
            {
              statusCode: "number",
              clientPort: "number",
              dnsMsecs: "null",
              connectMsecs: "number",
              tlsMsecs: "null",
              firstByteMsecs: "number",
              totalMsecs: "number",
            },
          ],
          sameSocket: "boolean",
          portsSeenBy: "string",
          closedBecause: "null",
        },
      ],
      manyRequests: {
        requests: "number",
        concurrency: "number",
        runs: [
          {
            protocol: "string",
            keepAlive: "boolean",
            socketsOpened: "number",
            tlsResumed: "number",
            reuseRatio: "number",
            p50Msecs: "number",
            p99Msecs: "number",
            tookMsecs: "number",
            failed: "number",
            statusCodes: { 200: "number" },
            handshakeMeanMsecs: "number",
            closed: {},
          },
        ],
        saved: [
          {
            protocol: "string",
            handshakesAvoided: "number",
            handshakeMeanMsecs: "number",
            savedMsecs: "number",
          },
        ],
      },
      queue: "null",
      bursts: "null",
    });
    const [kept, fresh] = report.manyRequests.runs;
    assert.equal(fresh?.socketsOpened, 8);
    // What this side counted is what the server saw: one port for the two requests, then one a socket.
    assert.equal(ports.size, 1 + Number(kept?.socketsOpened) + 8);
    const [two] = report.twoRequests;
    assert.equal(two?.portsSeenBy, "client");
    assert.ok(ports.has(two?.requests[0].clientPort ?? undefined));
  });

  test("an https server with an authority of its own needs --ca or --insecure, and the error says so", async () => {
    const { cert, key } = makeCertificate();
    const ca = path.join(folder, "ca.pem");
    fs.writeFileSync(ca, cert);
    const server = createSecureServer({ cert, key }, (_, response) => response.end("hello"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const [refused, trusted, unchecked] = await Promise.all([
      keepline("demo", "--url", url),
      keepline("demo", "--url", url, "--requests=4", "--ca", ca),
      keepline("demo", "--url", url, "--requests=4", "--insecure"),
    ]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^keepline demo: cannot connect to .*: self-signed certificate.* \(.*--ca FILE.*\n$/,
    );
    for (const { code, out, err } of [trusted, unchecked]) {
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      assert.match(out, /HTTPS {2}1st +– +\d/);
    }
  });

  test("a foreign server that has had enough is left alone", async () => {
    let requests = 0;
    const { url } = await serve((_, response) => {
      response.writeHead(++requests > 2 ? 429 : 200).end();
    });
    const { code, out, err } = await keepline("demo", "--url", url);
    assert.equal(code, 1);
    assert.match(
      err,
      /^keepline demo: stopped early, since 20 of 20 requests to .* failed, .*429\n$/,
    );
    assert.match(out, /402 GET requests/);
    assert.ok(requests <= 2 + 20 + 20, `${requests} requests were sent`);
  });

  test("failures are one line on stderr and exit code 1", async () => {
    const large = await serve((_, response) => response.end(Buffer.alloc(2_000_000)));
    const closing = await serve((request) => request.socket.destroy());
    // A port that was free would be taken by whatever else listens here meanwhile; this one is nobody's.
    const gone = { url: "http://127.0.0.1:1/" };
    const [refused, tooLarge, closed] = await Promise.all(
      [gone, large, closing].map(({ url }) => keepline("demo", "--json", "--url", url)),
    );
    assert.match(lastLine(refused), /^keepline demo: cannot connect to .*ECONNREFUSED/);
    assert.match(lastLine(tooLarge), /^keepline demo: the response of .* is larger than 1 MiB/);
    assert.match(lastLine(closed), /^keepline demo: .* closed the connection before it responded/);
    for (const result of [refused, tooLarge, closed]) {
      assert.deepEqual({ code: result?.code, out: result?.out }, { code: 1, out: "" });
      // What is sent, and what came of it.
      assert.equal(result?.err.trimEnd().split("\n").length, 2, result?.err);
    }
  });

  test("wrong arguments are one line on stderr and exit code 2", async () => {
    const wrong: [args: string[], message: RegExp][] = [
      [["tune"], /^keepline: there is no command "tune"; known are .*demo/],
      [["--versoin"], /^keepline: there is no option --versoin; did you mean --version\?/],
      [["demo", "--request", "5"], /^keepline demo: .* --request; did you mean --requests\?/],
      [
        ["demo", "--concurrency=300"],
        /^keepline demo: --concurrency must be .* 1 to 256, not "300"/,
      ],
      [["demo", "--url", "localhost:80"], /^keepline demo: --url must be .*, not "localhost:80"/],
      [
        ["demo", "--url=http://me:secret@localhost/"],
        /^keepline demo: --url must be .* no password/,
      ],
      [["demo", "http://localhost"], /^keepline demo: .* did you mean --url http:\/\/localhost\?/],
      [
        ["demo", "--insecure"],
        /^keepline demo: --insecure is for https servers, but there is no --url/,
      ],
      [
        ["demo", "--ca", main, "--url=https://a"],
        /^keepline demo: --ca must be .* PEM certificates/,
      ],
    ];
    const results = await Promise.all(wrong.map(([args]) => keepline(...args)));
    results.forEach(({ code, out, err }, index) => {
      const [args, message] = wrong[index] ?? [[], /^$/];
      assert.match(err, message);
      assert.equal(err.indexOf("\n"), err.length - 1, "more than one line");
      assert.deepEqual({ args, code, out }, { args, code: 2, out: "" });
    });
  });

  test("help is on stdout, for every command, with examples", async () => {
    const [bare, overall, own, asked, version] = await Promise.all([
      keepline(),
      keepline("--help"),
      keepline("demo", "--json", "--help"),
      keepline("help", "demo"),
      keepline("--version"),
    ]);
    for (const { code, err } of [bare, overall, own, asked, version]) {
      assert.deepEqual({ code, err }, { code: 0, err: "" });
    }
    assert.equal(bare.out, overall.out);
    assert.match(overall.out, /Commands:\n {2}demo {2,}\w/);
    assert.equal(own.out, asked.out);
    assert.match(own.out, /Examples:\n {2}keepline demo\n/);
    for (const line of [...overall.out.split("\n"), ...own.out.split("\n")]) {
      assert.ok(line.length <= 80, line);
    }
    const { version: expected } = JSON.parse(
      fs.readFileSync(path.join(root, "package.json"), "utf8"),
    ) as { version: string };
    assert.equal(version.out, `${expected}\n`);
  });

  test("Ctrl-C and SIGTERM end the demo at once, without a word, and its servers with it", async () => {
    const endWith = async (name: NodeJS.Signals, seen: string): Promise<number | null> => {
      const child = start(["demo"]);
      const result = finish(child);
      while (!(await piece(child)).includes(seen)) {}
      child.kill(name);
      const killedAt = performance.now();
      const { code, err } = await result;
      assert.equal(err, "");
      assert.ok(performance.now() - killedAt < 3_000);
      return code;
    };
    // While the servers start, and while requests are under way.
    assert.equal(await endWith("SIGTERM", "keepline"), 143);
    assert.equal(await endWith("SIGINT", "first byte"), 130);
  });

  test("--watch goes on with traffic that its dashboard shows, until Ctrl-C", async () => {
    const child = start(["demo", "--watch", "--requests", "1"]);
    const result = finish(child);
    let text = "";
    while (!/until Ctrl-C[\s\S]*http:\S+\/\n/.test(text)) text += await piece(child);
    const [, address = ""] = /live: (\S+)/.exec(text) ?? [];
    const { code, out, err } = await keepline("top", address, "--once");
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(out, /shop +http:/);
    child.kill("SIGINT");
    assert.equal((await result).code, 130);
    const [both, neither] = await Promise.all([
      keepline("demo", "--watch", "--json"),
      keepline("demo", "--watch", "--url", "http://127.0.0.1:1/"),
    ]);
    assert.deepEqual([both.code, neither.code], [2, 2]);
  });

  test("a reader that has seen enough, as head has, is no failure", async () => {
    const { url } = await serve((_, response) => response.end("hello"));
    const child = start(["demo", "--url", url]);
    const result = finish(child);
    await piece(child);
    child.stdout?.destroy();
    const { code, signal, err } = await result;
    assert.deepEqual({ code, signal, err }, { code: 0, signal: null, err: "" });
  });

  test("servers that do not start, or end too early, are reported with their reason", async () => {
    const ready = `process.send({ kind: "ready", httpPort: 1, httpsPort: 2, cert: "" });`;
    const { signal } = new AbortController();
    const failing: [script: string, message: RegExp][] = [
      [`process.exit(3)`, /ended unexpectedly \(exit code 3\)$/],
      [
        `throw new Error("no such luck")`,
        /ended unexpectedly \(exit code 1\): Error: no such luck$/,
      ],
      [
        `process.send({ kind: "failed", problem: "EACCES" }); setInterval(() => {}, 1e6)`,
        /not be started: EACCES$/,
      ],
    ];
    await Promise.all(
      failing.map(([text, message]) => assert.rejects(startServers(signal, script(text)), message)),
    );
    const running = await startServers(
      signal,
      script(`${ready} process.once("message", () => process.exit(4));`),
    );
    assert.equal(running.signal.aborted, false);
    await running.stop();
    assert.equal(running.signal.aborted, false);

    const dying = await startServers(
      signal,
      script(`${ready} setTimeout(() => process.exit(4), 50);`),
    );
    await once(dying.signal, "abort");
    assert.match(String(dying.signal.reason), /ended unexpectedly \(exit code 4\)/);
    await dying.stop();
  });

  test("servers end when the process that started them goes away", async () => {
    const child = fork(path.join(root, "dist", "cli", "demo", "server-process.js"));
    await once(child, "message");
    child.disconnect();
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  test("servers that hang are killed, and do not outlive an interrupted start", async () => {
    const deaf = await startServers(
      new AbortController().signal,
      script(
        `process.send({ kind: "ready", httpPort: 1, httpsPort: 2, cert: "" }); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
      ),
    );
    await deaf.stop();
    const interrupted = new AbortController();
    const starting = startServers(interrupted.signal, script("setInterval(() => {}, 1e6)"));
    const reason = new Error("Ctrl-C");
    interrupted.abort(reason);
    await assert.rejects(starting, reason);
  });
});

async function piece(child: ChildProcess): Promise<string> {
  const [text] = (await once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data")) as [
    string,
  ];
  return text;
}

/** A server on this machine, closed when all tests are over if not before. */
async function serve(
  listener: RequestListener,
): Promise<{ readonly url: string; close(): Promise<unknown> }> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  const close = (): Promise<unknown> => {
    server.close().closeAllConnections();
    return once(server, "close");
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

let scriptCount = 0;

/** A program of one line in place of the demo's servers. */
function script(text: string): URL {
  const file = path.join(folder, `servers-${++scriptCount}.mjs`);
  fs.writeFileSync(file, text);
  return pathToFileURL(file);
}
