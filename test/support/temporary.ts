/**
 * Folders that go with their test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";

/** An empty folder. */
export function temporaryFolder(t: TestContext): string {
  const made = mkdtempSync(path.join(os.tmpdir(), "keepline-test-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}
