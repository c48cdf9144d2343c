/**
 * Memory for the large pieces of bodies that wait to be read, used again and again: what the allocator takes for one, and page faults and
 * collections with it, is more than all else that is done for it.
 * Invariant: memory is given back only by those who had it for themselves.
 */

/** Bytes of one: the most that is read from a socket at once. */
const spareBytes = 65_536;
/** So many are kept: 1 MiB. */
const mostSpares = 16;

const spares: ArrayBufferLike[] = [];
/** Copies in such memory that were not given back. */
const lent = new WeakSet<Buffer>();

/** A copy of the bytes of `buffer` from `start` to `end`, for a while: it may take up to twice its length. */
export function spareCopy(buffer: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  let copy: Buffer;
  if (length > spareBytes || length < spareBytes / 2) copy = Buffer.allocUnsafe(length);
  else {
    const memory = spares.pop() ?? Buffer.allocUnsafeSlow(spareBytes).buffer;
    copy = Buffer.from(memory, 0, length);
    lent.add(copy);
  }
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** Nobody will look at `piece` any more. Nothing is kept of what is not from here, was given back already, or was transferred to another thread. */
export function giveBack(piece: Buffer): void {
  const { buffer } = piece;
  const isWhole = buffer.byteLength === spareBytes;
  if (lent.delete(piece) && isWhole && spares.length < mostSpares) spares.push(buffer);
}
