// What keepline probe finds out of servers whose settings are known. All of them are probed at the same time, in this
// process: a probe mostly waits.

import assert from "node:assert/strict";
import { constants } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { connect } from "node:net";
import { before, describe, test } from "node:test";
import { type Certificate, makeCertificate } from "../../src/cli/certificate.ts";
import { verdict } from "../../src/cli/errors.ts";
import { probeCommand } from "../../src/cli/probe/command.ts";
import type { ProbeReport } from "../../src/cli/probe/report.ts";
import { probe } from "../../src/cli/probe/run.ts";
import { mostConnections, type ProbePlan } from "../../src/cli/probe/visitor.ts";
import { Client } from "../../src/index.ts";
import { ok, type Script } from "../../src/testing/index.ts";
import {
  buildCommandLine,
  keepline,
  lastLine,
  runCommand,
  shapeOf,
} from "../support/command-line.ts";
import { startNginx } from "../support/nginx.ts";
import { deadPort, httpServer, listen, rawServer } from "../support/raw-server.ts";

let certificate: Certificate;
before(() => {
  buildCommandLine();
  certificate = makeCertificate();
});

describe("a probe", { concurrency: 32 }, () => {
  test("finds nginx's keepalive_timeout and keepalive_requests, with its header and without", async (t) => {
    const answer = "location / { return 200 hello; }";
    const origins = await startNginx(t, [
      `keepalive_timeout 3s 3s; keepalive_requests 10; ${answer}`,
      `keepalive_timeout 3s; ${answer}`,
      `keepalive_timeout 0; ${answer}`,
    ]);
    if (origins === null) return;
    await atBest(async () => {
      const [said, unsaid, off] = await Promise.all(
        origins.map((origin) => run(origin, { maxMsecs: 4_000 })),
      );
      for (const report of [said, unsaid]) {
        assert.equal(report?.keepAlive.keeps, "yes");
        assert.deepEqual(Object.keys(report?.keepAlive.servers ?? {}).length, 1);
        assert.match(Object.keys(report?.keepAlive.servers ?? {})[0] ?? "", /^nginx/);
        assert.deepEqual([report?.idle?.kind, report?.idle?.by], ["closes", "fin"]);
        assert.equal(report?.idle?.steady, true);
        assertNear(report?.idle?.timeoutMsecs, 3_000);
        assertBetween(advised(report, "keepAliveMsecs"), 1_500, 2_600);
      }
      assert.deepEqual([said?.keepAlive.hintMsecs, unsaid?.keepAlive.hintMsecs], [3_000, null]);
      assert.deepEqual(said?.requests, {
        sent: 10,
        limit: 10,
        announced: true,
        confirmed: true,
        stoppedAt: null,
      });
      assert.equal(advised(said, "maxRequestsPerSocket"), 10);
      assert.match(said?.advice.remarks.join() ?? "", /one request in 10 .*keepalive_requests/);
      assert.deepEqual([unsaid?.requests?.sent, unsaid?.requests?.limit], [20, null]);
      assert.equal(advised(unsaid, "maxRequestsPerSocket"), undefined);

      assert.deepEqual(off?.keepAlive.refusals, { "Connection: close": 6 });
      assert.deepEqual(
        [off?.keepAlive.keeps, off?.idle, off?.requests, off?.advice.settings],
        ["no", null, null, []],
      );
      assert.match(off?.advice.remarks.join() ?? "", /nginx keepalive_timeout/);
    });
  });

  test("finds Node's keepAliveTimeout, its header and its maxRequestsPerSocket", async (t) => {
    const server = createHttpServer({ keepAliveTimeout: 1_000 }, (_, response) => response.end());
    server.maxRequestsPerSocket = 6;
    const { origin, port } = await listen(t, server);
    await atBest(async () => {
      // Node keeps them for longer than it says, by none or one second.
      const [report, closedAfterMsecs] = await Promise.all([
        run(origin, { maxMsecs: 2_500 }),
        idleTimeOf(port),
      ]);
      assert.equal(report.keepAlive.hintMsecs, 1_000);
      assert.equal(report.idle?.kind, "closes");
      assertNear(report.idle?.timeoutMsecs, Math.round(closedAfterMsecs / 1_000) * 1_000);
      assertBetween(advised(report, "keepAliveMsecs"), 500, 900);
      assert.deepEqual([report.requests?.limit, report.requests?.announced], [6, true]);
    });
  });

  test("finds how long a server takes requests that says nothing, and resets what comes later", async (t) => {
    const { origin } = await rawServer(t, forgetful(1_200));
    await atBest(async () => {
      const report = await run(origin, { maxMsecs: 4_000 });
      assert.deepEqual([report.idle?.kind, report.idle?.by], ["drops", "rst"]);
      assertNear(report.idle?.timeoutMsecs, 1_200);
      const { atLeastMsecs, atMostMsecs } = report.idle ?? { atLeastMsecs: 0, atMostMsecs: 0 };
      assert.ok(atLeastMsecs < 1_200 && Number(atMostMsecs) > 1_100);
      assert.ok(Number(advised(report, "keepAliveMsecs")) < 1_200);
      assert.match(report.advice.settings[0]?.why ?? "", /without a sign/);
    });
  });

  test("finds after which time something in between forgets connections, and answers nothing", async (t) => {
    const { origin } = await rawServer(t, forgetful(1_200, "silence", "keep-alive: timeout=60"));
    await atBest(async () => {
      const report = await run(origin, { maxMsecs: 4_000 });
      assert.deepEqual([report.idle?.kind, report.idle?.by], ["drops", "silence"]);
      assertNear(report.idle?.timeoutMsecs, 1_200);
      assert.equal(report.keepAlive.hintMsecs, 60_000);
      const remarks = report.advice.remarks.join();
      assert.match(remarks, /promises 60 s, but .*something in between/);
      assert.match(remarks, /headersTimeoutMsecs/);
      assert.ok(Number(advised(report, "keepAliveMsecs")) < 1_200);
    });
  });

  test("sees a close by RST, and what was said before it", async (t) => {
    const times: number[] = [];
    const timeout = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n";
    const { origin } = await rawServer(t, async (connection) => {
      await connection.request();
      await connection.send(ok());
      const idleAt = performance.now();
      const timer = setTimeout(async () => {
        await connection.send(timeout).catch(() => {});
        // Node reads an RST that comes right behind bytes as if it were a FIN.
        setTimeout(() => {
          times.push(performance.now() - idleAt);
          connection.reset();
        }, 20);
      }, 1_000);
      await connection.request().finally(() => clearTimeout(timer));
      await connection.send(ok());
      await connection.gone();
    });
    const report = await run(origin, { maxMsecs: 4_000, mostRequests: 2 });
    assert.deepEqual([report.idle?.kind, report.idle?.by], ["closes", "rst"]);
    assertBetween(report.idle?.timeoutMsecs, Math.min(...times) * 0.9, Math.max(...times) * 1.1);
    assert.equal(report.idle?.said, "HTTP/1.1 408 Request Timeout");
  });

  test("says no more of a patient server than it has seen", async (t) => {
    const { origin } = await rawServer(t, forgetful(60_000));
    const report = await run(origin, { maxMsecs: 300 });
    assert.deepEqual([report.idle?.kind, report.idle?.timeoutMsecs], ["keeps", null]);
    const { atLeastMsecs } = report.idle ?? { atLeastMsecs: 0 };
    assert.ok(atLeastMsecs >= 300, `${atLeastMsecs}`);
    assert.ok(Number(advised(report, "keepAliveMsecs")) < atLeastMsecs);
    assert.match(report.advice.settings[0]?.why ?? "", /still good/);
  });

  test("finds a limit on requests that is not announced", async (t) => {
    const { origin } = await rawServer(t, async (connection) => {
      for (let count = 0; count < 7; count++) {
        await connection.request();
        await connection.send(ok());
      }
      connection.end();
    });
    const report = await run(origin, { maxMsecs: 100 });
    assert.deepEqual(
      [report.requests?.limit, report.requests?.announced, report.requests?.confirmed],
      [7, false, true],
    );
    const setting = report.advice.settings.find((each) => each.option === "maxRequestsPerSocket");
    assert.equal(setting?.value, 7);
    assert.match(setting?.why ?? "", /request 8 would fail/);
  });

  test("sees that connections to one name are treated differently, and by whom", async (t) => {
    const { origin } = await rawServer(t, async (connection) => {
      const isOdd = connection.index % 2 === 1;
      for (;;) {
        await connection.request();
        const fields = ["via: 1.1 edge", `server: ${isOdd ? "old" : "new"}`];
        if (!isOdd) await connection.send(ok("", ...fields));
        else {
          const head = `HTTP/1.0 200 OK\r\n${fields.join("\r\n")}\r\ncontent-length: 0\r\n\r\n`;
          await connection.send(head);
          connection.end();
        }
      }
    });
    const { keepAlive, advice } = await run(origin, { maxMsecs: 100, mostRequests: 2 });
    assert.equal(keepAlive.keeps, "some");
    assert.deepEqual(keepAlive.servers, { old: 3, new: 3 });
    assert.deepEqual(keepAlive.versions, { "HTTP/1.0": 3, "HTTP/1.1": 3 });
    assert.deepEqual(keepAlive.refusals, { "HTTP/1.0 without keep-alive": 3 });
    assert.deepEqual(keepAlive.via, { "1.1 edge": 6 });
    const remarks = advice.remarks.join();
    for (const words of [
      /only 3 of 6/,
      /HTTP\/1\.0/,
      /Via: 1\.1 edge/,
      /Server: (old; new|new; old)/,
    ]) {
      assert.match(remarks, words);
    }
  });

  test("leaves a server alone that has had enough", async (t) => {
    let requests = 0;
    const { origin } = await httpServer(t, (_, response) => {
      response.writeHead(++requests > 20 ? 429 : 200).end();
    });
    const report = await run(origin, { maxMsecs: 100, mostRequests: 10_000 });
    assert.equal(report.requests?.stoppedAt, 429);
    assert.ok(requests < 60, `${requests} requests`);
  });

  test("stays within what its help promises, and counts what the server has seen", async (t) => {
    const methods = new Set<string | undefined>();
    let requests = 0;
    const server = await httpServer(t, (request, response) => {
      requests++;
      methods.add(request.method);
      response.end("hello");
    });
    const report = await run(server.origin, { maxMsecs: 200, mostRequests: 30, method: "HEAD" });
    assert.deepEqual([...methods], ["HEAD"]);
    assert.deepEqual(report.sent, { connections: server.connectionCount, requests });
    assert.ok(requests <= 2 * 30 + 130 && server.connectionCount <= mostConnections);
  });

  test("fails, and waits for nothing any more, when the server goes away in the middle", async (t) => {
    let requests = 0;
    const server = await httpServer(t, (_, response) => {
      // On the connection that carries many; none can be opened after it.
      if (++requests === 40) server.stop();
      else response.end();
    });
    const running = run(server.origin, { maxMsecs: 60_000, mostRequests: 1_000 });
    await assert.rejects(running, /ECONNREFUSED/);
  });

  test("ends at once when it is interrupted, and leaves nothing open", async (t) => {
    const server = await httpServer(t, (_, response) => response.end());
    const ending = new AbortController();
    const reason = new Error("Ctrl-C");
    const running = probe(planOf(server.origin, { maxMsecs: 60_000, mostRequests: 2 }), {
      signal: ending.signal,
      progress: (line) => {
        if (line.includes("connections wait")) ending.abort(reason);
      },
    });
    const startedAt = performance.now();
    await assert.rejects(running, reason);
    assert.ok(performance.now() - startedAt < 8_000, "it waited for answers");
    while (server.openCount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

test("a probe finds protocols, versions, resumption and costs of TLS", async (t) => {
  const both = createSecureServer({ ...certificate, allowHTTP1: true }, (_, response) => {
    response.end();
  });
  const old = createHttpsServer(
    { ...certificate, maxVersion: "TLSv1.2", secureOptions: constants.SSL_OP_NO_TICKET },
    (_, response) => response.end(),
  );
  const plans = { maxMsecs: 100, mostRequests: 2, tls: { ca: certificate.cert } };
  const [modern, dated] = await Promise.all(
    [both, old].map(async (server) => {
      const { port } = await listen(t, server as never);
      await assert.rejects(run(`https://localhost:${port}`, { tls: {} }), (error) => {
        assert.match(verdict(error).text, /self-signed certificate.*--ca FILE/);
        return true;
      });
      return run(`https://localhost:${port}`, plans);
    }),
  );
  assert.deepEqual([modern?.tls?.offers, modern?.tls?.chooses], [["h2", "http/1.1"], "h2"]);
  for (const version of modern?.tls?.versions ?? []) {
    assert.deepEqual([version.accepted, version.resumes], [true, true], version.version);
    assert.ok(Number(version.fullMsecs) > 0 && Number(version.resumedMsecs) > 0);
  }
  assert.match(modern?.advice.remarks.join() ?? "", /offers HTTP\/2/);
  assert.deepEqual(
    dated?.tls?.versions.map(({ accepted, resumes }) => [accepted, resumes]),
    [
      [false, null],
      [true, false],
    ],
  );
  assert.match(dated?.advice.remarks.join() ?? "", /not resumed/);
  assert.equal(dated?.names.kind, "local");
  assert.ok(Number(dated?.names.lookupMsecs) > 0);
});

test("a probe fails with what to do next where there is no server, no TLS or no HTTP", async (t) => {
  const dead = `http://127.0.0.1:${await deadPort()}`;
  const plain = await httpServer(t, (_, response) => response.end());
  const large = await httpServer(t, (_, response) => response.end(Buffer.alloc(2_000_000)));
  const mute = await rawServer(t, (connection) => connection.end());
  const strange = await rawServer(t, async (connection) => {
    await connection.head();
    await connection.send("220 smtp.example.com ESMTP\r\n");
  });
  const failures: [url: string, message: RegExp][] = [
    [dead, /cannot connect to 127\.0\.0\.1 port \d+: .*ECONNREFUSED.*is the server up/],
    [plain.origin.replace("http:", "https:"), /does not speak TLS there/],
    [mute.origin, /closed it without an answer: is this its HTTP port\?/],
    [strange.origin, /gave an answer that cannot be used: .*at byte 0/],
    [large.origin, /larger than 1 MiB: choose a smaller one, or --method HEAD/],
    ["http://nobody.invalid", /cannot look up nobody\.invalid/],
  ];
  await Promise.all(failures.map(([url, message]) => assert.rejects(run(url, {}), message)));
});

test("a probe, on the command line, tells by its exit code whether a server keeps connections", async (t) => {
  const keeps = await httpServer(t, (_, response) => response.end());
  const closes = await rawServer(t, async (connection) => {
    await connection.request();
    await connection.send(ok("", "connection: close"));
    connection.end();
  });
  const [shown, json, no, unreachable, wrong] = await Promise.all([
    keepline("probe", keeps.origin, "--max", "200ms", "--requests=5", "-H", "x-y: z"),
    runCommand(probeCommand, ["--json", "--max=200ms", "--requests=5", keeps.origin]),
    runCommand(probeCommand, [closes.origin]),
    runCommand(probeCommand, ["--json", `http://127.0.0.1:${await deadPort()}`]),
    runCommand(probeCommand, ["127.0.0.1:80"]),
  ]);
  assert.deepEqual([shown?.code, shown?.err], [0, ""]);
  assert.match(shown?.out ?? "", /keeps connections yes: 6 of 6\n/);
  assert.match(shown?.out ?? "", /\n {2}\/\/ http:.*\n {2}const client = new Client\(\{\n/);
  assert.deepEqual([json?.code, json?.err], [0, ""]);
  assert.deepEqual(shapeOf(JSON.parse(json?.out ?? "")), shape);
  assert.deepEqual([no?.code, lastLine(no)], [3, `${closes.origin} does not keep connections`]);
  assert.match(no?.out ?? "", /no: 0 of 6 \(6 × Connection: close\)/);
  assert.deepEqual([unreachable?.code, unreachable?.out], [1, ""]);
  assert.match(lastLine(unreachable), /^cannot connect to .*ECONNREFUSED/);
  assert.equal(wrong?.code, 2);
  assert.match(lastLine(wrong), /^URL must be an absolute http or https URL/);
});

const shape = {
  format: "string",
  formatVersion: "number",
  keepline: "string",
  node: "string",
  startedAt: "string",
  tookMsecs: "number",
  url: "string",
  method: "string",
  names: {
    host: "string",
    kind: "string",
    lookupMsecs: "null",
    addresses: [
      {
        address: "string",
        family: "number",
        ttlSeconds: "null",
        connectMsecs: "number",
        problem: "null",
      },
    ],
  },
  tls: "null",
  keepAlive: {
    keeps: "string",
    connections: "number",
    kept: "number",
    refusals: {},
    versions: { "HTTP/1.1": "number" },
    statusCodes: { 200: "number" },
    servers: {},
    via: {},
    keepAliveHeaders: { "timeout=60": "number" },
    altSvc: "null",
    hintMsecs: "number",
    hintRequests: "null",
    roundTripMsecs: "number",
  },
  requests: {
    sent: "number",
    limit: "null",
    announced: "null",
    confirmed: "null",
    stoppedAt: "null",
  },
  idle: {
    kind: "string",
    timeoutMsecs: "null",
    atLeastMsecs: "number",
    atMostMsecs: "null",
    by: "null",
    steady: "boolean",
    said: "null",
    samples: [{ idleMsecs: "number", outcome: "string", seen: "null" }],
  },
  sent: { connections: "number", requests: "number" },
  advice: {
    settings: [{ option: "string", value: "number", why: "string" }],
    remarks: [],
    code: "string",
  },
};

/** Answers until a connection was idle for so long, of which nobody is told: then the next request gets an RST, or nothing. */
function forgetful(
  limitMsecs: number,
  then: "reset" | "silence" = "reset",
  ...fields: readonly string[]
): Script {
  return async (connection) => {
    for (;;) {
      await connection.request();
      await connection.send(ok("", ...fields));
      const idleAt = performance.now();
      await connection.until(() => connection.unread.length > 0);
      if (performance.now() - idleAt < limitMsecs) continue;
      if (then === "reset") connection.reset();
      await connection.gone();
    }
  };
}

/** How long an idle connection to `port` is open, seen by itself. */
async function idleTimeOf(port: number): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "data");
  const idleAt = performance.now();
  await once(socket, "end");
  socket.destroy();
  return performance.now() - idleAt;
}

function planOf(origin: string, some: Partial<ProbePlan>): ProbePlan {
  return {
    url: new URL(origin),
    method: "GET",
    headers: [],
    tls: {},
    maxMsecs: 1_000,
    mostRequests: 20,
    ...some,
  };
}

/** Probes, and makes sure that what is advised is something that a client takes. */
async function run(origin: string, some: Partial<ProbePlan>): Promise<ProbeReport> {
  const { signal } = new AbortController();
  const report = await probe(planOf(origin, some), { signal, progress: () => {} });
  const options = Object.fromEntries(
    report.advice.settings.map(({ option, value }) =>
      option === "connect.family" ? ["connect", { family: value }] : [option, value],
    ),
  );
  new Client(options).destroy();
  return report;
}

function advised(report: ProbeReport | undefined, option: string): unknown {
  return report?.advice.settings.find((each) => each.option === option)?.value;
}

/** What a probe measures is as true as the machine is quiet: what a busy one spoils is measured again, twice at most. */
async function atBest(measured: () => Promise<void>): Promise<void> {
  for (let left = 2; ; left--) {
    try {
      await measured();
      return;
    } catch (error) {
      if (left === 0 || !(error instanceof assert.AssertionError)) throw error;
    }
  }
}

function assertNear(found: number | null | undefined, expected: number): void {
  assertBetween(found, expected * 0.9, expected * 1.1);
}

function assertBetween(found: unknown, least: number, most: number): void {
  const isThere = typeof found === "number" && found >= least && found <= most;
  assert.ok(isThere, `${found} is not between ${least} and ${most}`);
}
