// `npm start`: installs and builds what is missing, then runs `keepline demo` with the arguments
// given. The command runs in this very process, so signals, terminal and exit code are its own.

import path from "node:path";
import { pathToFileURL } from "node:url";
import { endWithNpm, ensureBuilt, ensureInstalled, root, runScript } from "./setup.mjs";

const main = path.join(root, "dist", "cli", "main.js");

await runScript(() => {
  ensureInstalled();
  ensureBuilt();
});

if (!process.exitCode) {
  endWithNpm();
  process.argv = [process.execPath, main, "demo", ...process.argv.slice(2)];
  await import(pathToFileURL(main).href);
}
