// `keepline simulate` as a user runs it: traces, sweeps, files, JSON, and what it refuses.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { verdict } from "../../src/cli/errors.ts";
import { simulation } from "../../src/cli/simulate/command.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import type { SimulationReport, SweepReport } from "../../src/simulate/index.ts";
import { root } from "../support/root.ts";

const main = path.join(root, "dist", "cli", "main.js");
const folder = mkdtempSync(path.join(tmpdir(), "keepline-simulate-"));
before(() => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, "scripts", "setup.mjs")]);
  assert.equal(status, 0, String(stderr));
});
after(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function keepline(args: readonly string[], input = ""): Promise<Result> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: "C.UTF-8", NO_COLOR: "1" };
    const child = execFile(
      process.execPath,
      [main, "simulate", ...args],
      { cwd: folder, env, maxBuffer: 1 << 26 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
    child.stdin?.end(input);
  });
}

function write(name: string, text: string): string {
  writeFileSync(path.join(folder, name), text);
  return name;
}

const trace = Array.from(
  { length: 200 },
  (_, index) => `{"at":${index * 50},"serviceMsecs":80}\n`,
).join("");

describe("the command", { concurrency: 2 }, () => {
  test("a trace from standard input is simulated, with the settings that are given", async () => {
    const args = ["--trace", "-", "--set", "maxSockets=1", "--set", "keepAliveMsecs=4s", "--json"];
    const { code, out, err } = await keepline(args, trace);
    assert.deepEqual([code, err], [0, ""]);
    const report = JSON.parse(out) as SimulationReport;
    assert.deepEqual([report.format, report.formatVersion], ["keepline-simulation", 1]);
    assert.deepEqual([report.requests, report.sockets.opened, report.ended], [200, 1, "complete"]);
    assert.ok((report.queueWait.maxMsecs as number) > 1_000);
  });

  test("a sweep has the same figures in its JSON, whatever its threads; with an SVG and a page", async () => {
    write("trace.jsonl", trace);
    write(
      "settings.json",
      '{"maxTotalSockets":"Infinity","services":{"default":{"lanes":{"a":{}}}}}',
    );
    const args = ["--trace", "trace.jsonl", "--settings", "settings.json", "--json"];
    const sweep = ["--sweep", "maxSockets=1,2,4", "--sweep", "keepAliveMsecs=10ms,1s"];
    const files = ["--svg", "maps.svg", "--html", "report.html"];
    const one = await keepline([...args, ...sweep, ...files, "--jobs", "1"]);
    const other = await keepline([...args, ...sweep, "--jobs", "3"]);
    assert.deepEqual([one.code, other.code], [0, 0], one.err + other.err);
    assert.equal(other.out, one.out);
    const { cells, axes } = JSON.parse(one.out) as SweepReport;
    assert.deepEqual(axes, [
      { option: "maxSockets", values: [1, 2, 4] },
      { option: "keepAliveMsecs", values: [10, 1_000] },
    ]);
    assert.equal(cells.length, 6);
    const [first, last] = [cells[0], cells[5]];
    assert.ok(
      (first?.report.latency.p99Msecs as number) > (last?.report.latency.p99Msecs as number),
    );
    assert.ok(cells.some((each) => each.isBest));
    assert.match(one.err, /wrote report\.html\n.*wrote maps\.svg/s);
    const svg = readFileSync(path.join(folder, "maps.svg"), "utf8");
    assert.equal(svg.match(/<rect /g)?.length, 18);
    assert.match(
      readFileSync(path.join(folder, "report.html"), "utf8"),
      /id="content">\{"command":"keepline simulate --trace trace\.jsonl/,
    );
  });

  test("in a terminal's width it prints heat maps, and the table of all cells", async () => {
    const line = "--rate 30 --pattern bursts --for 10s --service 20 --sweep maxFreeSockets=1,30";
    const { code, out } = await keepline([
      ...line.split(" "),
      "--sweep",
      "keepAliveMsecs=500ms,5s",
    ]);
    assert.equal(code, 0);
    assert.match(
      out,
      /^Churn: sockets opened per second\n {2}maxFreeSockets \\ keepAliveMsecs +500ms +5s\n/,
    );
    assert.match(out, /\n {2}1 +██ [\d.]+. +██ [\d.]+./);
    assert.match(out, /\n {2}30 +.*░░ [\d.]+\*/);
    for (const text of out.split("\n")) assert.ok(text.length <= 80, text);
    assert.match(out, /\ncheapest: maxFreeSockets=30 keepAliveMsecs=5s\n4 cells, 1,200 requests/);
    const one = await keepline(["--rate", "100", "--for", "5s"]);
    assert.match(one.out, /^requests +\d+ in 5\.0\d s of simulated time\nfailed +none\n/);
    assert.match(one.out, /\nms +mean +p50 +p90 +p99 +p99\.9 +max\nwait for a connection /);
  });

  test("a line of progress is shown where somebody watches, and taken away again", async () => {
    let shown = "";
    const watched = { isTTY: true, columns: 120, write: (text: string) => (shown += text) };
    const terminal = new Terminal({ write: () => true }, watched, {});
    const args = "--rate 50 --for 10s --sweep maxSockets=1,2".split(" ");
    await simulation.run(args, { terminal, signal: AbortSignal.timeout(60_000) });
    assert.match(shown, /\r +simulating: \d of 2 cells, [\d,]+ requests, [\d,]+ a second/);
    assert.ok(shown.endsWith("\r\x1b[K"));
  });

  test("a scenario file holds all of it, as JSON or as a module with functions", async () => {
    write(
      "scenario.cjs",
      `module.exports = {
        workload: [{ kind: "loop", clients: 3, requests: 300, origin: "https://a.test" }],
        servers: { serviceMsecs: { kind: "lognormal", medianMsecs: 5, sigma: 0.5 } },
        settings: { services: { a: { origins: (origin) => origin.startsWith("https:"), maxSockets: 2, lanes: { x: {} }, laneFor: () => "x" } } },
      };`,
    );
    const args = ["--scenario", "scenario.cjs", "--sweep", "services.a.maxSockets=1,2,3", "--json"];
    const { code, out, err } = await keepline(args);
    assert.equal(code, 0, err);
    const { cells } = JSON.parse(out) as SweepReport;
    assert.deepEqual(
      cells.map(({ report }) => [report.sockets.mostOpen, report.lanes[0]?.lane]),
      [
        [1, "x"],
        [2, "x"],
        [3, "x"],
      ],
    );
  });

  test("what it cannot do it refuses in one line, with exit code 2 for the command line and 1 for a file", async () => {
    write("trace.jsonl", trace);
    write("bad.jsonl", '{"at":1}\n{"at":');
    write("broken.json", "{");
    const refusals: readonly [line: string, code: number, message: RegExp][] = [
      ["", 2, /there are no requests: give --trace FILE, --rate N or --scenario FILE/],
      [
        "--trace none.log",
        2,
        /--trace must be the name of a file that there is, or -, not "none\.log"/,
      ],
      ["--trace FOLDER/trace.jsonl --rate 5", 2, /give one of them/],
      ["--rate 0", 2, /--rate must be a number above 0/],
      ["--rate 5 --for 5x", 2, /--for must be a duration such as 500ms/],
      [
        "--rate 5 --set maxSocket=5",
        2,
        /--set maxSocket: there is no option "maxSocket"; did you mean maxSockets\?/,
      ],
      [
        "--rate 5 --sweep maxSockets=0,5",
        2,
        /--sweep maxSockets: maxSockets must be a whole number of at least 1, or Infinity, not "0"/,
      ],
      ["--rate 5 --sweep maxSockets=5,5", 2, /a value is given twice/],
      ["--rate 5 --sweep maxSockets", 2, /--sweep must be OPTION=VALUE/],
      [
        "--rate 5 --sweep maxSockets=1 --sweep maxPending=1 --sweep maxFreeSockets=1",
        2,
        /may be given twice, not 3 times/,
      ],
      ["--trace - --sweep maxSockets=1,2", 2, /give a file, not -/],
      ["--rate 5 --svg x.svg", 2, /there is no --sweep/],
      ["--trace FOLDER/trace.jsonl --pattern bursts", 2, /--pattern means nothing without --rate/],
      [
        "--trace FOLDER/bad.jsonl",
        1,
        /line 2 of the trace ends within its JSON object: was it cut off\?/,
      ],
      [
        "--trace FOLDER/bad.jsonl --sweep maxSockets=1,2",
        1,
        /line 2 of the trace ends within its JSON object/,
      ],
      ["--rate 5 --settings FOLDER/broken.json", 1, /broken\.json cannot be read/],
      ["--rate 5 --for 1s --set minFreeSockets=300", 1, /minFreeSockets must be at most 256/],
      [
        "--rate 5 --for 1s --sweep maxSockets=1,2 --svg FOLDER/none/maps.svg",
        1,
        /cannot write: ENOENT/,
      ],
    ];
    const quiet = { write: () => true };
    for (const [line, code, message] of refusals) {
      const args = line
        .replaceAll("FOLDER", folder)
        .split(" ")
        .filter((each) => each !== "");
      const context = {
        terminal: new Terminal(quiet, quiet, {}),
        signal: AbortSignal.timeout(60_000),
      };
      await assert.rejects(
        async () => simulation.run(args, context),
        (error) => {
          const { exitCode, text } = verdict(error);
          assert.match(text, message);
          assert.equal(exitCode, code, line);
          return true;
        },
      );
    }
    const help = await keepline(["--help"]);
    for (const text of help.out.split("\n")) assert.ok(text.length <= 80, text);
    const { code, out, err } = await keepline(["--rate", "0"]);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /^keepline simulate: --rate must be [^\n]+\n$/);
  });
});
