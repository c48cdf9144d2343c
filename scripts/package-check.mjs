// `npm run package-check`: packs keepline as it would be published and uses it as a stranger would.
// publint and attw judge the tarball; an empty project then installs it offline, imports it,
// requires it, type-checks against it and runs its command. Temporary folders go away in any case.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  ensureBuilt,
  ensureInstalled,
  npm,
  root,
  runNode,
  runScript,
  StepFailed,
  tool,
} from "./setup.mjs";

const temp = fs.mkdtempSync(path.join(os.tmpdir(), "keepline-package-"));
// Resolved, because a program reports its real path and macOS links its temporary folder.
const project = path.join(fs.realpathSync(temp), "project");

const useClient = `if (typeof Client !== "function") throw new Error("Client is " + typeof Client);\n`;

const useTesting = `const clock = new ManualClock(5);
if (clock.now() !== 5) throw new Error("the clock stands at " + clock.now());
FaultProxy.listen({ target: "http://127.0.0.1:1" }).then((proxy) => proxy.close());
`;

const useSimulate = `simulate({
  workload: { kind: "poisson", ratePerSecond: 100, requests: 100 },
  settings: { maxSockets: 2 },
}).then((report) => {
  if (report.succeeded !== 100) throw new Error("succeeded: " + report.succeeded);
});
`;

const useUndici = `const undo = it.install(new Client());
undo();
if (new Client().dispatcher().closed) throw new Error("closed");
`;

const useAgent = `if (!(new Agent() instanceof http.Agent)) throw new Error("Agent is none of Node's");
if (!(new HttpsAgent().keepAlive)) throw new Error("keepAlive is off");
`;

const useModules = `for (const [own, node] of [[http, nodeHttp], [https, nodeHttps]]) {
  const missing = Object.keys(node).filter((name) => !(name in own));
  if (missing.length > 0) throw new Error("missing: " + missing.join());
  own.globalAgent = own.globalAgent;
  if (own.request === node.request) throw new Error("request is Node's");
}
`;

const usePrometheus = `const text = new Scraper(new Client()).text();
if (!text.includes("# TYPE keepline_requests_total counter")) throw new Error(text);
`;

const useHar = `const har = recordHar(new Client()).toJSON();
if (har.log.version !== "1.2") throw new Error(har.log.version);
`;

const useRecord = `const recording = record(new Client(), { to: "recording.jsonl" });
if (recording.ended !== null) throw new Error(recording.ended);
recording.stop();
`;

const useDashboard = `serveDashboard(new Client()).then(async ({ url, close }) => {
  const page = await fetch(url).then((answer) => answer.text());
  if (!page.includes("dashboard.js")) throw new Error(page);
  await close();
});
`;

const useOpenTelemetry = `instrument(new Client(), { spans: true })();
`;

const typedUse = `import { Client, type ClientOptions } from "keepline";
import nodeHttp from "node:http";
import { Agent, type AgentOptions, HttpsAgent } from "keepline/agent";
import http, { type IncomingMessage } from "keepline/http";
import https from "keepline/https";
import { type SimulationReport, simulate } from "keepline/simulate";
import { FaultProxy, ManualClock, ScriptedOrigin } from "keepline/testing";
import { asDispatcher, install } from "keepline/undici";
import { type Dashboard, serveDashboard, type Update } from "keepline/dashboard";
import { type Har, recordHar } from "keepline/har";
import { type Recording, record } from "keepline/record";
import { instrument } from "keepline/opentelemetry";
import { Scraper } from "keepline/prometheus";

const options: ClientOptions = { maxSockets: 2 };
export const client: Client = new Client(options);
// Holds only if the types are real: with \`any\` this line would not be an error.
// @ts-expect-error
export const wrong: ClientOptions = { maxSockets: "two" };
export const timed: ClientOptions = { clock: new ManualClock() };
export const server: Promise<ScriptedOrigin> = ScriptedOrigin.listen(() => {});
// @ts-expect-error
FaultProxy.listen({ target: 5 });
export const found: Promise<SimulationReport> = simulate({
  workload: { kind: "poisson", ratePerSecond: 5, requests: 10 },
});
// @ts-expect-error
simulate({ workload: { kind: "poisson" } });
export const undo: () => void = install(client);
export const got: Promise<Response> = client.fetch("http://127.0.0.1:1");
export const dispatcher: object = asDispatcher<object>(client.dispatcher());
// @ts-expect-error
install(5);
export const har: Har = recordHar(client, { maxEntries: 5 }).toJSON();
export const recording: Recording = record(client, { to: "recording.jsonl", maxRequests: 5 });
export const dashboard: Promise<Dashboard> = serveDashboard({ one: client }, { port: 0 });
// @ts-expect-error
serveDashboard(client, { port: "4700" });
export const pools = (update: Update): number => update.pools.length;
export const end: () => void = instrument(client, { spans: true });
export const scrape: string = new Scraper({ one: client }, { origins: true }).text();
export const agentOptions: AgentOptions = { maxSockets: 2, maxPending: 5, localAddress: "127.0.0.1" };
export const agent: nodeHttp.RequestOptions["agent"] = new Agent(agentOptions);
export const secure: nodeHttp.RequestOptions["agent"] = new HttpsAgent({ ca: "…" });
// @ts-expect-error
new Agent({ maxSockets: "two" });
class Custom extends Agent {
  override keepSocketAlive(): boolean {
    return false;
  }
}
export const shared: nodeHttp.Agent = client.httpAgent({ lane: "default" });
export function read(response: http.IncomingMessage): IncomingMessage {
  return response;
}
export const request: nodeHttp.ClientRequest = http.get("http://127.0.0.1:1", { agent: new Custom() });
request.on("error", () => {});
export const second: nodeHttp.ClientRequest = https.request({ host: "127.0.0.1", agent: false });
`;

const compilerOptions = {
  module: "nodenext",
  target: "es2022",
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
};

await runScript(() => {
  try {
    ensureInstalled();
    ensureBuilt();
    checkPackage();
  } finally {
    fs.rmSync(temp, { recursive: true, force: true, maxRetries: 3 });
  }
});

function checkPackage() {
  step("pack");
  const { tarball, files } = pack();
  check("the tarball holds what a user needs", () => {
    const needed = [
      "dist/index.js",
      "dist/index.d.ts",
      "dist/surfaces/agent/index.js",
      "dist/surfaces/agent/index.d.ts",
      "dist/surfaces/http.js",
      "dist/surfaces/http.d.ts",
      "dist/surfaces/https.js",
      "dist/surfaces/https.d.ts",
      "dist/har/index.js",
      "dist/har/index.d.ts",
      "dist/record/index.js",
      "dist/record/index.d.ts",
      "dist/opentelemetry/index.js",
      "dist/opentelemetry/index.d.ts",
      "dist/prometheus/index.js",
      "dist/prometheus/index.d.ts",
      "dist/simulate/index.js",
      "dist/simulate/index.d.ts",
      "dist/testing/index.js",
      "dist/testing/index.d.ts",
      "dist/surfaces/undici/index.js",
      "dist/surfaces/undici/index.d.ts",
      "dist/cli/main.js",
      "dist/cli/simulate/worker.js",
      "dist/dashboard/index.js",
      "dist/dashboard/index.d.ts",
      "dist/web/dashboard.js",
      "dist/web/dashboard.css",
      "dist/web/simulate.js",
      "dist/web/simulate.css",
      "LICENSE",
      "README.md",
    ];
    const missing = needed.filter((file) => !files.includes(file));
    if (missing.length > 0) return `missing: ${missing.join(", ")}`;
  });
  check("the tarball holds no tests, sources or build records", () => {
    const extra = files.filter((file) =>
      /(^|\/)(test|tests|fixtures|src|\.stamp)(\/|$)|\.test\.|(?<!\.d)\.[cm]?ts$/.test(file),
    );
    if (extra.length > 0) return extra.join(", ");
  });

  step("publint");
  expectSuccess(runNode([tool("publint", "publint"), "run", tarball, "--strict"]), "publint");

  step("are the types wrong?");
  const attw = tool("@arethetypeswrong/cli", "attw");
  expectSuccess(runNode([attw, tarball, "--profile", "esm-only", "--format", "ascii"]), "attw");

  step("use it in an empty project");
  fs.mkdirSync(project);
  write("package.json", JSON.stringify({ name: "stranger", private: true, type: "module" }));
  npm(["install", "--offline", "--ignore-scripts", "--loglevel=error", tarball], {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"],
  });

  write("import.mjs", `import { Client } from "keepline";\n${useClient}`);
  write("require.cjs", `const { Client } = require("keepline");\n${useClient}`);
  check("import works", () => failureOf(node("import.mjs")));
  check("require() works", () => failureOf(node("require.cjs")));
  const names = "{ FaultProxy, ManualClock }";
  write("testing.mjs", `import ${names} from "keepline/testing";\n${useTesting}`);
  write("testing.cjs", `const ${names} = require("keepline/testing");\n${useTesting}`);
  check("import of keepline/testing works", () => failureOf(node("testing.mjs")));
  write("simulate.mjs", `import { simulate } from "keepline/simulate";\n${useSimulate}`);
  write("simulate.cjs", `const { simulate } = require("keepline/simulate");\n${useSimulate}`);
  check("import of keepline/simulate works", () => failureOf(node("simulate.mjs")));
  check("require() of keepline/simulate works", () => failureOf(node("simulate.cjs")));
  check("require() of keepline/testing works", () => failureOf(node("testing.cjs")));

  write(
    "prometheus.mjs",
    `import { Client } from "keepline";\nimport { Scraper } from "keepline/prometheus";\n${usePrometheus}`,
  );
  write(
    "prometheus.cjs",
    `const { Client } = require("keepline");\nconst { Scraper } = require("keepline/prometheus");\n${usePrometheus}`,
  );
  write(
    "har.mjs",
    `import { Client } from "keepline";\nimport { recordHar } from "keepline/har";\n${useHar}`,
  );
  write(
    "har.cjs",
    `const { Client } = require("keepline");\nconst { recordHar } = require("keepline/har");\n${useHar}`,
  );
  check("import of keepline/har works", () => failureOf(node("har.mjs")));
  check("require() of keepline/har works", () => failureOf(node("har.cjs")));
  write(
    "record.mjs",
    `import { Client } from "keepline";\nimport { record } from "keepline/record";\n${useRecord}`,
  );
  write(
    "record.cjs",
    `const { Client } = require("keepline");\nconst { record } = require("keepline/record");\n${useRecord}`,
  );
  check("import of keepline/record works", () => failureOf(node("record.mjs")));
  check("require() of keepline/record works", () => failureOf(node("record.cjs")));
  write(
    "dashboard.mjs",
    `import { Client } from "keepline";\nimport { serveDashboard } from "keepline/dashboard";\n${useDashboard}`,
  );
  write(
    "dashboard.cjs",
    `const { Client } = require("keepline");\nconst { serveDashboard } = require("keepline/dashboard");\n${useDashboard}`,
  );
  check("import of keepline/dashboard works", () => failureOf(node("dashboard.mjs")));
  check("require() of keepline/dashboard works", () => failureOf(node("dashboard.cjs")));
  linkTypes("@opentelemetry/api");
  write(
    "opentelemetry.mjs",
    `import { Client } from "keepline";\nimport { instrument } from "keepline/opentelemetry";\n${useOpenTelemetry}`,
  );
  write(
    "opentelemetry.cjs",
    `const { Client } = require("keepline");\nconst { instrument } = require("keepline/opentelemetry");\n${useOpenTelemetry}`,
  );
  check("import of keepline/opentelemetry works", () => failureOf(node("opentelemetry.mjs")));
  check("require() of keepline/opentelemetry works", () => failureOf(node("opentelemetry.cjs")));
  check("import of keepline/prometheus works", () => failureOf(node("prometheus.mjs")));
  check("require() of keepline/prometheus works", () => failureOf(node("prometheus.cjs")));

  write(
    "undici.mjs",
    `import { Client } from "keepline";\nimport * as it from "keepline/undici";\n${useUndici}`,
  );
  write(
    "undici.cjs",
    `const { Client } = require("keepline");\nconst it = require("keepline/undici");\n${useUndici}`,
  );
  check("import of keepline/undici works without undici", () => failureOf(node("undici.mjs")));
  check("require() of keepline/undici works without undici", () => failureOf(node("undici.cjs")));
  const agents = "{ Agent, HttpsAgent }";
  write(
    "agent.mjs",
    `import http from "node:http";\nimport ${agents} from "keepline/agent";\n${useAgent}`,
  );
  write(
    "agent.cjs",
    `const http = require("node:http");\nconst ${agents} = require("keepline/agent");\n${useAgent}`,
  );
  check("import of keepline/agent works", () => failureOf(node("agent.mjs")));
  check("require() of keepline/agent works", () => failureOf(node("agent.cjs")));
  const modules = [
    ["http", "keepline/http"],
    ["https", "keepline/https"],
    ["nodeHttp", "node:http"],
    ["nodeHttps", "node:https"],
  ];
  const imports = modules.map(([name, from]) => `import ${name} from "${from}";`).join("\n");
  const requires = modules.map(([name, from]) => `const ${name} = require("${from}");`).join("\n");
  write("modules.mjs", `${imports}\n${useModules}`);
  write("modules.cjs", `${requires}\n${useModules}`);
  check("import of keepline/http and keepline/https works", () => failureOf(node("modules.mjs")));
  check("require() of keepline/http and keepline/https works", () =>
    failureOf(node("modules.cjs")),
  );

  check("TypeScript accepts its types", () => {
    // What a stranger's project has besides keepline: Node's types.
    linkTypes("@types/node");
    linkTypes("undici-types");
    write("uses.ts", typedUse);
    write("uses.cts", typedUse);
    write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["uses.ts", "uses.cts"] }));
    return failureOf(node(tool("typescript", "tsc"), "-p", project));
  });

  check("keepline --help runs", () => {
    const windows = process.platform === "win32";
    const command = path.join(
      project,
      "node_modules",
      ".bin",
      windows ? "keepline.cmd" : "keepline",
    );
    const help = spawnSync(windows ? `"${command}" --help` : command, windows ? [] : ["--help"], {
      cwd: project,
      encoding: "utf8",
      shell: windows,
    });
    return failureOf(help) ?? (help.stdout.trim() === "" ? "it printed nothing" : undefined);
  });
}

function pack() {
  const packed = npm(["pack", "--json", "--ignore-scripts", "--pack-destination", temp], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  const answer = JSON.parse(packed.stdout);
  // A list up to npm 11, an object by package name from npm 12 on.
  const [{ filename, files, size }] = Object.values(answer);
  process.stdout.write(`  ${filename}: ${files.length} files, ${Math.round(size / 1024)} kB\n`);
  return { tarball: path.join(temp, filename), files: files.map((file) => file.path) };
}

function linkTypes(name) {
  const target = path.join(project, "node_modules", ...name.split("/"));
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.symlinkSync(path.join(root, "node_modules", ...name.split("/")), target, "junction");
}

function write(name, text) {
  fs.writeFileSync(path.join(project, name), text);
}

function node(...args) {
  return spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
}

function step(title) {
  process.stdout.write(`\n== ${title}\n`);
}

/** Runs one check, which returns what is wrong or nothing. */
function check(title, run) {
  const problem = run();
  if (problem !== undefined) throw new StepFailed(`not true that ${title}:\n${problem}`);
  process.stdout.write(`  ok: ${title}\n`);
}

function failureOf({ status, stdout, stderr, error }) {
  if (status === 0) return undefined;
  return [error?.message, `exit ${status}`, stdout, stderr].filter(Boolean).join("\n");
}

function expectSuccess({ status }, name) {
  if (status !== 0) throw new StepFailed(`${name} found problems (exit ${status})`);
}
