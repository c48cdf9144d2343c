/**
 * Dispatchers of keepline fit where undici's types ask for one, under undici 6, 7 and 8.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./support/root.ts";

const use = (name: string) => `
import { Client } from "keepline";
import { asDispatcher, dispatcherFor, install } from "keepline/undici";
import * as undici from "${name}";

const client = new Client();
const { Agent, Dispatcher } = undici;
const KeeplineDispatcher = dispatcherFor(Dispatcher);
const dispatcher: undici.Dispatcher = new KeeplineDispatcher(client, { lane: "default" });
export const own = dispatcher.request({ origin: "http://a", path: "/", method: "GET" });
export const fetched = undici.fetch("http://a", { dispatcher });
export const cast = undici.fetch("http://a", { dispatcher: asDispatcher(client.dispatcher()) });
export const requested = undici.request("http://a", { dispatcher: asDispatcher(client.dispatcher()) });
undici.setGlobalDispatcher(dispatcher);
export const composed = dispatcher.compose(undici.interceptors.redirect({ maxRedirections: 1 }));
export const undo: () => void = install(client);
// @ts-expect-error: holds only if the types are real
new KeeplineDispatcher(5);
// @ts-expect-error: a client is no dispatcher
undici.setGlobalDispatcher(client);
export { Agent };
`;

const useBuiltIn = `
import { Client } from "keepline";
import { asDispatcher } from "keepline/undici";

const client = new Client();
export const own: Promise<Response> = client.fetch("http://a", { method: "POST", body: "b" });
export const global: Promise<Response> = fetch("http://a", { dispatcher: asDispatcher(client.dispatcher()) });
// @ts-expect-error: holds only if the types are real
client.fetch(5);
`;

test("dispatchers fit the types of fetch and of undici 6, 7 and 8", () => {
  const folder = mkdtempSync(join(tmpdir(), "keepline-types-"));
  try {
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    for (const name of ["undici6", "undici7", "undici8"]) {
      writeFileSync(join(folder, `${name}.ts`), use(name));
    }
    writeFileSync(join(folder, "fetch.ts"), useBuiltIn);
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        paths: {
          keepline: [join(root, "src/index.ts")],
          "keepline/undici": [join(root, "src/surfaces/undici/index.ts")],
        },
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [join(folder, "*.ts")],
      exclude: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  } catch (error) {
    assert.fail((error as { stdout?: string }).stdout ?? String(error));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
