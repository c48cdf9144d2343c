// `npm run bench`: builds the library, installs what bench/ compares it with (its own package.json,
// so that none of it is a dependency of keepline), and runs bench/main.mjs with the arguments given.

import fs from "node:fs";
import path from "node:path";
import { ensureBuilt, ensureInstalled, followNode, root, runScript, StepFailed } from "./setup.mjs";

await runScript(() => {
  const folder = path.join(root, "bench");
  const main = path.join(folder, "main.mjs");
  if (!fs.existsSync(main)) throw new StepFailed("bench/main.mjs does not exist");
  ensureInstalled();
  ensureBuilt();
  if (fs.existsSync(path.join(folder, "package.json"))) ensureInstalled(folder);
  return followNode([main, ...process.argv.slice(2)]);
});
