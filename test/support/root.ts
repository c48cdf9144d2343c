/**
 * Where the repository is, for tests that look at its files: they run from build/, not from where they stand.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function findRoot(folder: string): string {
  // The lock file is nowhere else; build/ has a copy of package.json.
  if (existsSync(join(folder, "package-lock.json"))) return folder;
  if (dirname(folder) === folder) throw new Error("there is no package-lock.json above the tests");
  return findRoot(dirname(folder));
}

/** The folder of package.json and README.md, absolute. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

/** A program that tests start: plain JavaScript that uses the package as its users do. */
export function programFile(name: string): string {
  return join(root, "test", "support", "programs", name);
}
