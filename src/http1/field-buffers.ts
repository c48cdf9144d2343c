/**
 * Header fields as Buffers, for those who want them as they came.
 */

/** Names repeat: a look-up costs a quarter of a new Buffer. */
const knownNames = new Map<string, Buffer>();
const mostKnownNames = 1_000;

/** Names and values in turn. Buffers of names are shared by all who get them. */
export function toBuffers(rawHeaders: readonly string[]): Buffer[] {
  const buffers = new Array<Buffer>(rawHeaders.length);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    buffers[index] = knownNames.get(name) ?? learnName(name);
    buffers[index + 1] = Buffer.from(rawHeaders[index + 1] as string, "latin1");
  }
  return buffers;
}

function learnName(name: string): Buffer {
  const buffer = Buffer.from(name, "latin1");
  if (knownNames.size >= mostKnownNames) knownNames.clear();
  knownNames.set(name, buffer);
  return buffer;
}
