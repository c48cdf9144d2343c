import assert from "node:assert/strict";
import { test } from "node:test";
import { allCommands, findCommand } from "./commands.ts";
import { Terminal } from "./terminal.ts";

test("each command is found by the name that it has in its help", async () => {
  const commands = await allCommands();
  assert.ok(commands.length > 1);
  for (const command of commands) assert.equal(await findCommand(command.name), command);
});

test("help that is told to end while it loads what it explains says nothing", async () => {
  const written: string[] = [];
  const stream = { write: (text: string) => void written.push(text) };
  const reason = new Error("told to end");
  const context = { terminal: new Terminal(stream, stream, {}), signal: AbortSignal.abort(reason) };
  const help = await findCommand("help");
  for (const args of [[], ["demo"]]) {
    await assert.rejects(help.run(args, context), (error) => error === reason);
  }
  assert.deepEqual(written, []);
});
