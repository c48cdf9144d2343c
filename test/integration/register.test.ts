/**
 * Programs whose source is not touched, with `keepline/register` before them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { readTrace } from "../../src/simulate/index.ts";
import { plainServer } from "../support/loopback.ts";
import { programFile, root } from "../support/root.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end. */
async function run(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = root,
): Promise<Ended> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEEPLINE_"));
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
  });
  t.after(() => child.kill("SIGKILL"));
  const tooLong = setTimeout(() => child.kill("SIGKILL"), 20_000);
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearTimeout(tooLong);
  return { code, out, err };
}

/** A server that says from which port a request came. */
const portServer = (t: TestContext) =>
  plainServer(t, (request, response) => response.end(String(request.socket.remotePort)));

const entry = path.join(root, "dist/register/index.js");
const register = ["--import", new URL(`file://${entry}`).href];

test("requests of node:http and of fetch take one connection, and the program ends by itself", async (t) => {
  const server = await portServer(t);
  const program = programFile("untouched.mjs");
  const { code, out, err } = await run(t, [...register, program, server.origin]);
  assert.equal(err, "");
  assert.equal(code, 0);
  const ports = JSON.parse(out) as string[];
  assert.equal(ports.length, 4);
  assert.equal(new Set(ports).size, 1);
  assert.equal(server.connectionCount, 1);
});

test("it is there for programs of either module system, by --import and by --require", async (t) => {
  for (const preload of [register, ["--require", entry]]) {
    const server = await portServer(t);
    const program = programFile("untouched.cjs");
    const { code, out } = await run(t, [...preload, program, server.origin], {
      NODE_NO_WARNINGS: "1",
    });
    assert.equal(code, 0, preload.join(" "));
    assert.equal(new Set(JSON.parse(out) as string[]).size, 1);
    assert.equal(server.connectionCount, 1);
  }
});

test("variables and a config file set its options, and one line says so where it is asked for", async (t) => {
  const server = await portServer(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "keepline.config.json"), '{"keepAlive": false}');
  const env = { KEEPLINE_VERBOSE: "1", KEEPLINE_MAX_SOCKETS: "3" };
  const program = programFile("untouched.mjs");
  const { code, out, err } = await run(t, [...register, program, server.origin], env, folder);
  assert.equal(code, 0, err);
  assert.equal(new Set(JSON.parse(out) as string[]).size, 4, "connections were kept");
  assert.match(err, /^keepline \d+\.\d+\.\d+: .*keepline\.config\.json.*KEEPLINE_MAX_SOCKETS=3\n$/);
});

test("a value that is not allowed ends the program before it begins, and says which variable it is", async (t) => {
  const env = { KEEPLINE_MAX_SOCKETS: "many" };
  const { code, out, err } = await run(t, [...register, "--eval", "console.log('begun')"], env);
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(err, /KEEPLINE_MAX_SOCKETS must be a whole number/);
});

test("KEEPLINE_DASHBOARD has a dashboard served while the program runs, which ends by itself all the same", async (t) => {
  const env = { KEEPLINE_DASHBOARD: "127.0.0.1:0", NODE_NO_WARNINGS: "1" };
  const look = `
    process.stderr.write = (text) => {
      const [url] = /http:\\S+/.exec(text);
      fetch(url).then((answer) => answer.text()).then((page) => console.log(url, page.includes("dashboard.js")));
    };
    setTimeout(() => {}, 1_000);`;
  const { code, out } = await run(t, [...register, "--eval", look], env);
  assert.match(out, /^http:\/\/127\.0\.0\.1:\d+\/ true\n$/);
  assert.equal(code, 0);
});

test("a dashboard that cannot be served is warned of, and the program runs", async (t) => {
  const { port } = await portServer(t);
  const env = { KEEPLINE_DASHBOARD: String(port) };
  const { code, out, err } = await run(
    t,
    [...register, "--eval", "setTimeout(() => console.log('ran'), 500)"],
    env,
  );
  assert.deepEqual([code, out], [0, "ran\n"]);
  assert.match(err, /KEEPLINE_DASHBOARD.*there is no dashboard: listen EADDRINUSE/);
});

test("KEEPLINE_RECORD records what a program does, to its exit", async (t) => {
  const { port } = await portServer(t);
  const folder = temporaryFolder(t);
  const env = { KEEPLINE_RECORD: path.join(folder, "trace-%p.jsonl") };
  const use = `fetch("http://127.0.0.1:${port}/hush").then((answer) => answer.text()).finally(() => process.exit(3))`;
  const { code, err } = await run(t, [...register, "--eval", use], env);
  assert.equal(code, 3);
  const [file = ""] = readdirSync(folder);
  assert.match(file, /^trace-\d+\.jsonl$/);
  assert.match(err, new RegExp(`keepline: requests are recorded to .*${file}\n`));
  const { requests, ended } = await readTrace(readFileSync(path.join(folder, file)));
  assert.deepEqual([requests.count, ended], [1, "stopped"]);
});

test("a recording that cannot be made is warned of, and the program runs", async (t) => {
  const env = { KEEPLINE_RECORD: path.join(temporaryFolder(t), "no", "trace.jsonl") };
  const { code, out, err } = await run(t, [...register, "--eval", "console.log('ran')"], env);
  assert.deepEqual([code, out], [0, "ran\n"]);
  assert.match(err, /KEEPLINE_RECORD.*requests are not recorded: ENOENT/);
});

test("a misspelt variable is warned of", async (t) => {
  const { code, err } = await run(t, [...register, "--eval", ""], { KEEPLINE_MAX_SOCKET: "3" });
  assert.equal(code, 0);
  assert.match(err, /KEEPLINE_REGISTER.*did you mean KEEPLINE_MAX_SOCKETS\?/);
});
