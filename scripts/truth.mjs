// `npm run truth`: builds the library and runs bench/truth/main.mjs with the arguments given.

import path from "node:path";
import { ensureBuilt, ensureInstalled, followNode, root, runScript } from "./setup.mjs";

await runScript(() => {
  ensureInstalled();
  ensureBuilt();
  return followNode([path.join(root, "bench", "truth", "main.mjs"), ...process.argv.slice(2)]);
});
