import assert from "node:assert/strict";
import { test } from "node:test";
import { allCommands, findCommand } from "./commands.ts";

test("each command is found by the name that it has in its help", async () => {
  const commands = await allCommands();
  assert.ok(commands.length > 1);
  for (const command of commands) assert.equal(await findCommand(command.name), command);
});
