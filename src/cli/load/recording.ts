/**
 * Records a load as an HTTP Archive, for `--har`.
 */
import type { Client } from "../../client/client.ts";
import { type HarRecorder, recordHar } from "../../har/index.ts";
import { Failure } from "../errors.ts";

/** So many requests are kept, the last ones. */
const maxEntries = 1_000;

/** The archive of one run. */
export class Recording {
  #recorder: HarRecorder | null = null;

  /** Records what `client` sends from now on. */
  begin(client: Client): void {
    this.#recorder = recordHar(client, { maxEntries });
  }

  /** Writes what was recorded, which may be nothing. Rejects with a Failure when the file cannot be written. */
  async save(path: string): Promise<void> {
    const recorder = this.#recorder;
    if (recorder === null) return;
    recorder.stop();
    await recorder.save(path).catch((error: Error) => {
      throw new Failure(`--har: ${path} cannot be written: ${error.message}`);
    });
  }
}
