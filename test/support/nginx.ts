/**
 * The nginx of this machine, for tests that a real server must be in.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deadPort } from "./raw-server.ts";
import { temporaryFolder } from "./temporary.ts";

const places = ["/usr/sbin", "/usr/local/sbin", ...(process.env.PATH ?? "").split(path.delimiter)];
const startMsecs = 10_000;

/**
 * Starts one nginx with a server for each of `servers`, the lines inside its `server { }` beside `listen`; returns their
 * origins. Null where nginx is not installed: the test is left out then, and says what to install; in CI that is an error.
 */
export async function startNginx(
  t: TestContext,
  servers: readonly string[],
): Promise<readonly string[] | null> {
  const program = places
    .map((folder) => path.join(folder, "nginx"))
    .find((file) => existsSync(file));
  if (program === undefined) {
    const words =
      "nginx is needed for this test: apt-get install nginx-light, or brew install nginx";
    if (process.env.CI === "true") throw new Error(words);
    t.skip(words);
    return null;
  }
  const folder = temporaryFolder(t);
  const ports = await Promise.all(servers.map(() => deadPort()));
  const file = path.join(folder, "nginx.conf");
  writeFileSync(file, configOf(folder, servers, ports));
  const log = path.join(folder, "error.log");
  const child = spawn(program, ["-p", folder, "-c", file, "-e", log], { stdio: "pipe" });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  await Promise.all(ports.map((port) => listening(port, child)));
  return ports.map((port) => `http://127.0.0.1:${port}`);
}

function configOf(folder: string, servers: readonly string[], ports: readonly number[]): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  mkdirSync(path.join(folder, "temp"));
  const lines = [
    "daemon off; master_process off;",
    `error_log ${folder}/error.log; pid ${folder}/nginx.pid;`,
    "events { worker_connections 256; }",
    "http { access_log off;",
    ...kinds.map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`),
    ...servers.map((lines, index) => `server { listen 127.0.0.1:${ports[index]}; ${lines} }`),
    "}",
  ];
  return lines.join("\n");
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.on("data", (text) => {
    said += text;
  });
  const lastAt = performance.now() + startMsecs;
  for (;;) {
    if (child.exitCode !== null || performance.now() > lastAt) {
      throw new Error(`nginx does not listen on port ${port}: ${said}`);
    }
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch {
      await sleep(20);
    } finally {
      socket.destroy();
    }
  }
}
