/**
 * What a process meets that was stopped for a while, as by the lid of a laptop or a frozen function: the
 * server has closed the idle connections, and nobody was there to hear it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ok, rawServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

// Windows cannot stop a process and let it go on.
const endings = process.platform === "win32" ? [] : (["fin", "reset"] as const);

for (const ending of endings) {
  test(`after a pause no request goes out on a connection that ended meanwhile by ${ending}`, async (t) => {
    const server = await rawServer(t, async (connection) => {
      for (;;) {
        await connection.request();
        await connection.send(ok("fine"));
      }
    });
    const args = [programFile("suspended.mjs"), server.origin, "600"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await once(child.stdout, "data");
    assert.equal(output, "idle\n");
    assert.equal(server.connectionCount, 2);

    child.kill("SIGSTOP");
    const before = server.connections.slice();
    await sleep(1_000);
    for (const connection of before) {
      // A half-close: whatever is still written there would be seen.
      if (ending === "fin") connection.socket.end();
      else connection.reset();
    }
    await sleep(2_000);
    child.kill("SIGCONT");
    const [code] = await once(child, "close");

    assert.deepEqual([code, output], [0, 'idle\n["200 fine","200 fine"]\n']);
    for (const connection of before) {
      assert.equal(connection.unread.length, 0, "a request went out on a dead connection");
    }
    assert.equal(server.connectionCount, 4);
  });
}
