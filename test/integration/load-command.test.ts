// What keepline load reports, held against what the server has seen. All load goes to this machine.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { loadCommand } from "../../src/cli/load/command.ts";
import type { LoadReport, RunReport } from "../../src/cli/load/report.ts";
import type { Har } from "../../src/har/index.ts";
import {
  buildCommandLine,
  finish,
  lastLine,
  type Result,
  runCommand,
  shapeOf,
  start,
} from "../support/command-line.ts";
import { deadPort, httpServer, ok, rawServer } from "../support/raw-server.ts";
import { root } from "../support/root.ts";
import { temporaryFolder } from "../support/temporary.ts";

before(buildCommandLine);

test("what is reported is what the server has seen: requests, URLs, connections, bytes and codes", async (t) => {
  const seen: Record<string, number> = {};
  const fields = new Set<string>();
  const server = await httpServer(t, (request, response) => {
    seen[request.url ?? ""] = (seen[request.url ?? ""] ?? 0) + 1;
    fields.add(`${request.method} ${request.headers["x-test"]} ${request.headers["user-agent"]}`);
    request.resume().on("end", () => {
      response.writeHead(request.url === "/b" ? 404 : 200).end("0123456789");
    });
  });
  const file = path.join(temporaryFolder(t), "urls.txt");
  writeFileSync(file, ["/a", "/b", "/c"].map((each) => server.origin + each).join("\n"));
  const [run, { plan }] = await loadOf([
    file,
    "-n",
    "60",
    "-c",
    "3",
    "--body",
    "{}",
    "-H",
    "X-Test: yes",
    "-H",
    "user-agent: me",
  ]);
  assert.deepEqual(seen, { "/a": 20, "/b": 20, "/c": 20 });
  assert.deepEqual([...fields], ["POST yes me"]);
  const { sent, answered, failed, statusCodes, sockets, throughput, saved } = run;
  assert.deepEqual([sent, answered, failed], [60, 60, 0]);
  assert.deepEqual(statusCodes, { 200: 40, 404: 20 });
  assert.equal(sockets.opened, server.connectionCount);
  assert.ok(sockets.opened <= 3 && sockets.mostOpen === sockets.opened);
  assert.equal(sockets.reuseRatio, Math.round((1 - sockets.opened / 60) * 1_000) / 1_000);
  assert.equal(throughput.bodyBytes, 600);
  assert.equal(saved.handshakesAvoided, 60 - sockets.opened);
  const expected = saved.handshakesAvoided * Number(sockets.dial.p50Msecs);
  assert.ok(Math.abs(saved.savedMsecs - expected) < 0.1);
  assert.deepEqual([plan.urls, plan.concurrency, plan.bodyBytes], [3, 3, 2]);
});

test("--har writes what was sent as an archive for its owner, without secrets", async (t) => {
  const server = await httpServer(t, (_, response) => response.end("0123456789"));
  const file = path.join(temporaryFolder(t), "load.har");
  const secret = "authorization: Bearer hidden";
  await loadOf([`${server.origin}/a?page=2`, "-n", "12", "-c", "2", "-H", secret, "--har", file]);
  const text = readFileSync(file, "utf8");
  const { log } = JSON.parse(text) as Har;
  assert.equal(log.entries.length, 12);
  for (const { request, response } of log.entries) {
    assert.equal(request.url, `${server.origin}/a?page=2`);
    assert.deepEqual([response.status, response.content.size], [200, 10]);
  }
  assert(!text.includes("hidden"));
  assert.equal(statSync(file).mode & 0o077, 0);
  const nowhere = path.join(file, "below", "load.har");
  const { code, err } = await finish(start(["load", server.origin, "--har", nowhere]));
  assert.equal(code, 2);
  assert.match(err, /^keepline load: --har must be a file in a folder that can be written to/);
});

test("options of the client are its flags", async (t) => {
  const server = await httpServer(t, (_, response) => response.end());
  const [run] = await loadOf([
    server.origin,
    "-n",
    "20",
    "-c",
    "5",
    "--max-requests-per-socket",
    "2",
    "--max-sockets=2",
  ]);
  assert.equal(run.sockets.opened, 10);
  assert.equal(server.connectionCount, 10);
  assert.ok(Number(run.sockets.mostOpen) <= 2);
  assert.equal(run.sockets.closed?.["max-requests"], 10);
});

test("a server that stalls once cannot hide it: neither behind an open loop nor behind the correction", async (t) => {
  const stallMsecs = 500;
  // From one request on nothing is answered for a while.
  const stalling = (at: number) => {
    let count = 0;
    let until = 0;
    return httpServer(t, (_, response) => {
      if (++count === at) until = performance.now() + stallMsecs;
      setTimeout(() => response.end(), Math.max(0, until - performance.now()));
    });
  };
  const [one, two] = await Promise.all([stalling(20), stalling(20)]);
  const [[closed], [open]] = await Promise.all([
    loadOf([one.origin, "-n", "60", "-c", "1"]),
    loadOf([two.origin, "-n", "60", "--rate", "100", "--max-sockets", "1"]),
  ]);
  const { measured, corrected, from } = closed.latency;
  assert.equal(from, "sent");
  assert.ok(Number(measured.maxMsecs) >= stallMsecs - 5);
  // Of 60 requests one met it; by the clock, half of all that a steady sender would have made.
  assert.ok(Number(measured.p95Msecs) < stallMsecs / 4, `p95 ${measured.p95Msecs}`);
  assert.ok(Number(corrected?.p95Msecs) > stallMsecs / 2, `corrected p95 ${corrected?.p95Msecs}`);
  assert.equal(corrected?.expectedIntervalMsecs, measured.p50Msecs);

  assert.equal(open.latency.from, "intended");
  assert.equal(open.latency.corrected, null);
  // 40 requests were to be sent meanwhile: the first waited for all of it, the last for a hundred milliseconds.
  assert.ok(Number(open.latency.measured.p50Msecs) > 100, `p50 ${open.latency.measured.p50Msecs}`);
  assert.ok(Number(open.latency.measured.p95Msecs) > stallMsecs * 0.7);
  assert.equal(open.latency.lateness?.count, 60);
});

test("requests without an answer are counted by their code, and the exit code tells", async (t) => {
  const server = await rawServer(t, async (connection) => {
    if (connection.index % 2 === 0) {
      await connection.request();
      connection.reset();
      return;
    }
    for (;;) {
      await connection.request();
      await connection.send(ok("", "connection: close"));
    }
  });
  const some = await load([server.origin, "-n", "10", "-c", "1", "--resend", "never", "--json"]);
  assert.equal(some.code, 3);
  assert.match(
    lastLine(some),
    /^5 of 10 requests through keepline got no response, most of them ERR_KEEPLINE/,
  );
  const [run] = (JSON.parse(some.out) as LoadReport).runs;
  assert.deepEqual([run?.answered, run?.failed], [5, 5]);
  const [[code = "", error] = []] = Object.entries(run?.errors ?? {});
  assert.match(code, /^ERR_KEEPLINE_SOCKET_CLOSED/);
  assert.equal(error?.count, 5);

  const none = await load([`http://127.0.0.1:${await deadPort()}`, "-n", "3"]);
  assert.equal(none.code, 1);
  assert.match(lastLine(none), /^3 of 3 requests .*ERR_KEEPLINE_CONNECT: ECONNREFUSED/);
  assert.match(none.out, /3 sent, 0 answered, 3 failed/);

  const slow = await rawServer(t, (connection) => connection.gone());
  const late = await load([slow.origin, "-n", "1", "--timeout", "30ms"]);
  assert.match(late.err, /ERR_KEEPLINE_REQUEST_TIMEOUT/);
});

test("the same load goes through other clients, and their counts agree with the server's, too", async (t) => {
  const server = await httpServer(t, (_, response) => response.end("hello"));
  const folders = ["undici6", "undici7"].map((name) => {
    const folder = temporaryFolder(t);
    mkdirSync(path.join(folder, "node_modules"));
    const installed = path.join(root, "node_modules", name);
    symlinkSync(installed, path.join(folder, "node_modules", "undici"), "junction");
    return folder;
  });
  const args = [
    server.origin,
    "-n",
    "20",
    "-c",
    "4",
    "--max-sockets=2",
    "--compare",
    "undici,node",
  ];
  for (const folder of folders) {
    const before = server.connectionCount;
    const { code, out, err } = await load([...args, "--json"], folder);
    assert.deepEqual([code, err.split("\n").length], [0, 2], err);
    const { runs } = JSON.parse(out) as LoadReport;
    assert.deepEqual(
      runs.map((run) => run.client),
      ["keepline", "undici", "node"],
    );
    let opened = 0;
    for (const run of runs) {
      assert.deepEqual([run.answered, run.failed, run.throughput.bodyBytes], [20, 0, 100]);
      assert.ok(
        run.sockets.opened <= 2 && run.sockets.dial.count === run.sockets.opened,
        run.client,
      );
      opened += run.sockets.opened;
    }
    assert.equal(server.connectionCount - before, opened);
    for (const run of runs) {
      const { timeline } = run;
      assert.equal(
        timeline.slots.reduce((sum, each) => sum + each.answered, 0),
        20,
      );
      assert.equal(
        timeline.slots.reduce((sum, each) => sum + each.opened, 0),
        run.sockets.opened,
      );
      assert.ok(run.sockets.mostOpen >= 1 && run.sockets.mostOpen <= 2, run.client);
    }
    // Nothing may have ended in the first slot.
    const [{ timeline }] = runs as [RunReport];
    const busy = timeline.slots
      .filter((each) => each.answered > 0)
      .map((each) => ({ ...each, sockets: each.sockets ?? 0 }));
    const [first, ...others] = runs;
    const shown = [{ ...first, timeline: { ...timeline, slots: busy } }, ...others];
    assert.deepEqual(shapeOf({ ...JSON.parse(out), runs: shown }), shape);
  }
  const { out } = await load([server.origin, "-n", "5", "--compare=node"]);
  assert.match(out, /Side by side.*\n\n +keepline +node\n +version +\S+ +\S+\n/);
});

test("Ctrl-C ends a load with the report so far", async (t) => {
  let requests = 0;
  let enough = (): void => {};
  const busy = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const server = await httpServer(t, (_, response) => {
    // The last one is never answered.
    if (++requests === 30) enough();
    else response.end();
  });
  const child = start(["load", server.origin, "-c", "1", "--duration", "1m"]);
  const result = finish(child);
  await busy;
  child.kill("SIGINT");
  const { code, out, err } = await result;
  assert.deepEqual({ code, err }, { code: 130, err: "" });
  assert.match(
    out.replace(/\s+/g, " "),
    /30 sent, 29 answered \(29 × 200\), 0 failed, 1 under way at the end/,
  );
});

test("what cannot be is refused before anything is sent", async (t) => {
  const refusals: [args: string[], message: RegExp][] = [
    [["http://a.test", "--rate=5", "-c", "2"], /--rate sends by the clock .* give one of them/],
    [["http://a.test", "--body=x", `--body-file=${path.join(root, "LICENSE")}`], /not both/],
    [["http://a.test", "--compare=curl"], /--compare must be names .* undici, node, not "curl"/],
    [["http://a.test", "-H", "transfer-encoding: x"], /--header must be a header field/],
    [["http://a.test", "-H", "no colon"], /--header must be a header field/],
    [["http://a.test", "-n", "0"], /--requests must be a whole number/],
    [["http://a.test", "--method=G T"], /--method must be/],
    [["urls.txt"], /neither an http or https URL nor a file/],
    [[], /needs URL or FILE/],
  ];
  for (const [args, message] of refusals) {
    const { code, err, out } = await load(args);
    assert.match(err, message);
    assert.deepEqual([code, out], [2, ""], err);
  }
  const { code, err } = await load(["http://a.test", "--compare=undici"], temporaryFolder(t));
  assert.equal(code, 1);
  assert.match(err, /undici is not installed where this command runs .*npm install undici/);
});

const summary = {
  count: "number",
  meanMsecs: "number",
  p50Msecs: "number",
  p75Msecs: "number",
  p90Msecs: "number",
  p95Msecs: "number",
  p99Msecs: "number",
  p999Msecs: "number",
  maxMsecs: "number",
};
const shape = {
  format: "string",
  formatVersion: "number",
  keepline: "string",
  node: "string",
  startedAt: "string",
  plan: {
    urls: "number",
    firstUrl: "string",
    method: "string",
    concurrency: "number",
    ratePerSecond: "null",
    requests: "number",
    durationMsecs: "null",
    bodyBytes: "number",
    options: { maxSockets: "number" },
  },
  runs: [
    {
      client: "string",
      version: "string",
      endedBy: "string",
      tookMsecs: "number",
      sent: "number",
      answered: "number",
      failed: "number",
      unfinished: "number",
      statusCodes: { 200: "number" },
      errors: {},
      latency: {
        from: "string",
        measured: summary,
        corrected: { ...summary, expectedIntervalMsecs: "number" },
        lateness: "null",
        curves: { measuredMsecs: ["number"], correctedMsecs: ["number"] },
        queued: summary,
      },
      throughput: {
        perSecond: "number",
        bodyBytes: "number",
        bodyBytesPerSecond: "number",
      },
      sockets: {
        opened: "number",
        reuseRatio: "number",
        openedPerSecond: "number",
        mostOpen: "number",
        dial: summary,
        closed: {},
        resent: "number",
      },
      saved: { handshakesAvoided: "number", savedMsecs: "number" },
      cpuMsecsPerAnswer: "number",
      timeline: {
        slotMsecs: "number",
        slots: [
          {
            answered: "number",
            failed: "number",
            p50Msecs: "number",
            p99Msecs: "number",
            maxMsecs: "number",
            opened: "number",
            sockets: "number",
          },
        ],
      },
    },
  ],
};

/** Runs the command in this process, as if in `folder`. */
async function load(args: readonly string[], folder = root): Promise<Result> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await runCommand(loadCommand, args);
  } finally {
    process.chdir(before);
  }
}

/** The first run of a load that all answers came of, and the whole report. */
async function loadOf(args: readonly string[]): Promise<readonly [RunReport, LoadReport]> {
  const { out, code, err } = await load([...args, "--json"]);
  assert.equal(code, 0, err);
  const report = JSON.parse(out) as LoadReport;
  return [report.runs[0] as RunReport, report];
}
