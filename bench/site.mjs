// The origin of a benchmark: nginx where there is one, else the lean server of origin.mjs; each in a process of its
// own, over HTTP or HTTPS. Both answer the same paths, with the same bodies.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeCertificate } from "../dist/cli/certificate.js";
import { UsageError } from "../dist/cli/errors.js";
import { startOrigin } from "./processes.mjs";

/** What `--origin` allows. */
export const kinds = ["nginx", "lean"];

let found;

/** Where nginx is; null where there is none. */
export function nginx() {
  found ??= [...(process.env.PATH ?? "").split(path.delimiter), "/usr/sbin", "/usr/local/sbin"]
    .map((folder) => path.join(folder, "nginx"))
    .find((file) => spawnSync(file, ["-v"]).status === 0);
  return found ?? null;
}

/** What serves where nobody chose. */
export const usualKind = () => (nginx() === null ? "lean" : "nginx");

/**
 * Starts an origin of `kind`. Returns its `url`, `env` for the processes of clients (with what has them trust it),
 * `ask(question)` for what it counts, and `stop()`.
 */
export async function openSite({ kind = usualKind(), isTls = false, ...settings } = {}) {
  if (kind === "nginx" && nginx() === null) throw new UsageError("there is no nginx in PATH");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "keepline-bench-"));
  const files = { cert: path.join(folder, "cert.pem"), key: path.join(folder, "key.pem") };
  if (isTls) {
    const { cert, key } = makeCertificate();
    fs.writeFileSync(files.cert, cert);
    fs.writeFileSync(files.key, key, { mode: 0o600 });
  }
  const tls = isTls ? files : null;
  const server =
    kind === "nginx"
      ? await startOrigin(new URL("./nginx.mjs", import.meta.url), {
          program: nginx(),
          folder,
          tls,
        })
      : await startOrigin(new URL("./origin.mjs", import.meta.url), { tls, ...settings });
  return {
    kind,
    url: `${isTls ? "https" : "http"}://127.0.0.1:${server.ready.port}/`,
    env: isTls ? { NODE_EXTRA_CA_CERTS: files.cert } : {},
    ask: server.ask,
    stop: () => {
      server.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
