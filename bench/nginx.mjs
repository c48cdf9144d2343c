// nginx as the origin of a benchmark, with one worker and a configuration of its own in a temporary folder. This
// process starts it, and ends it when its own parent is gone.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { serve, settings } from "./processes.mjs";
import { furtherFields, largeBody, requestIdName, smallBody } from "./works.mjs";

const { program, folder, tls } = settings();
const port = await freePort();
const file = path.join(folder, "nginx.conf");
fs.writeFileSync(path.join(folder, "body"), largeBody);
fs.writeFileSync(file, configuration());
const args = ["-p", folder, "-c", file, "-e", path.join(folder, "error.log")];
const { status, stderr } = spawnSync(program, [...args, "-t"], { encoding: "utf8" });
if (status !== 0) throw new Error(`nginx refuses its configuration: ${stderr}`);
const child = spawn(program, args, { stdio: "inherit" });
await listening();
serve({ ready: { port }, reply: () => ({}), stop: () => child.kill("SIGTERM") });

function configuration() {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const isRoot = process.getuid?.() === 0;
  return `
${isRoot ? "user root;" : ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  etag off;
  max_ranges 0;
  open_file_cache max=16;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  default_type application/json;
  ${temporary.map((each) => `${each}_temp_path ${folder}/${each};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port} backlog=4096 ${tls === null ? "" : "ssl"};
    ${tls === null ? "" : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`}
    location = / { return 200 '${smallBody}'; }
    location = /body { alias ${folder}/body; }
    location = /headers {
      ${furtherFields.map(([name, value]) => `add_header ${name} '${value}';`).join("\n      ")}
      add_header ${requestIdName} $request_id;
      return 200 '${smallBody}';
    }
  }
}
`;
}

/** A port that is free now: nginx cannot choose one by itself. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function listening() {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) throw new Error(`nginx ended with code ${child.exitCode}`);
    const socket = net.connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      socket.destroy();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("nginx does not listen");
}
