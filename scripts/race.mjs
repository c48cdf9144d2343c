// `npm run race`: builds the library, installs the peers (bench/ has its own package.json, so that none of
// them is a dependency of keepline), and runs bench/race/main.mjs with the arguments given.

import path from "node:path";
import { ensureBuilt, ensureInstalled, followNode, root, runScript } from "./setup.mjs";

await runScript(() => {
  const folder = path.join(root, "bench");
  ensureInstalled();
  ensureBuilt();
  ensureInstalled(folder);
  return followNode([path.join(folder, "race", "main.mjs"), ...process.argv.slice(2)]);
});
